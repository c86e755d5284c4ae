"""The description of every path as OpenAPI."""

import re
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.api.core.calls import PREFIX
from app.api.core.routing import SECURITY_SCHEME
from app.api.inbound.endpoint import PATH
from app.api.inbound.openapi_inbound import FORWARD, describe_forward, describe_inbound
from app.api.openapi_problems import SCHEMAS, add_problems, describe_problems
from app.api.webhooks.openapi_webhooks import list_webhooks, turn_webhooks

DESCRIPTION = """
Letterbox keeps the texts that an SMS provider forwards, serves them, and sends others.

Send `Authorization: Bearer <key>`. Errors are `application/problem+json` (RFC 9457) with a
stable `type`. Unknown parameters and fields are refused. Ids and cursors are opaque; times are
RFC 3339 in UTC.

Lists are `{"items": […], "next": …}`: repeat the request with `cursor` set to `next`, or follow the
header `Link`.
"""
CONTACT = {"name": "The Letterbox developers"}
LICENSE = {"name": "MIT License", "identifier": "MIT"}

TAGS = {
    "alerts": "What needs a person, each with what to do",
    "audit": "Who changed what",
    "batches": "Texts to many, each filled from its row",
    "contacts": "The contacts of the provider's address book",
    "conversations": "What one of our numbers and one sender wrote to each other",
    "credits": "What the provider's account has left",
    "events": "What changes, as it changes",
    "erasures": "Numbers that were forgotten for good",
    "groups": "The groups of the provider's address book",
    "health": "What watches a service asks of it",
    "inbound": "The address that the provider forwards texts to",
    "keys": "Who may use this interface, and for what",
    "members": "The people who use the pages",
    "messages": "The texts that came in",
    "numbers": "Our virtual numbers and their auth values",
    "opt-outs": "The numbers that want no texts",
    "outbound": "The texts that go out",
    "people": "What numbers are called, and notes about them",
    "reconcile": "Comparing what arrived with the provider's report",
    "refusals": "The forwards that were turned away",
    "provider": "The provider's own words about any of its ids",
    "reports": "The provider's reports",
    "rules": "What answers texts by itself",
    "saved-replies": "Texts that people insert where they write",
    "sender": "Whether texts go out",
    "stats": "Counts by day and number",
    "webhooks": "The endpoints that are called when something happens",
    "users": "The child users of the provider's account",
}

# Descriptions of path parameters that have none of their own.
_NAMED = {
    "id": "as a list or an event gives it",
    "number": "digits alone, or as people write it",
    "name": "as a list gives it",
}
_WORD = re.compile("(?<=[a-z])(?=[A-Z])")
_NO_LETTER = re.compile("[^A-Za-z0-9]+")
_PAGE = re.compile(r"\bPage_(\w+)_$")


def install_openapi(app: FastAPI, public_url: str) -> None:
    """Give the application its whole description, made on first use."""

    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _make_schema(app, public_url)
        return app.openapi_schema

    app.openapi = describe  # type: ignore[method-assign]  # as FastAPI's page on extending says


def _make_schema(app: FastAPI, public_url: str) -> dict[str, Any]:
    schema = get_openapi(
        title=app.title,
        version=app.version,
        summary="Texts in and out, for programs",
        description=DESCRIPTION,
        routes=app.routes,
        webhooks=list_webhooks(),
        contact=CONTACT,
        license_info=LICENSE,
        # Relative where nobody has said how strangers reach it.
        servers=[{"url": public_url or "/", "description": "This service"}],
    )
    turn_webhooks(schema)
    # In the order in which people look for them, not the routing order.
    paths = sorted(schema["paths"].items(), key=lambda each: not each[0].startswith(PREFIX))
    schema["paths"] = {**dict(paths), PATH: describe_inbound()}
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            operation.setdefault("security", [])
            if path.startswith(PREFIX):
                add_problems(operation, path)
                _explain_parameters(operation)
    used = {
        operation["tags"][0]
        for operations in schema["paths"].values()
        for operation in operations.values()
    }
    schema["tags"] = [{"name": name, "description": TAGS[name]} for name in sorted(used)]
    components = schema["components"]
    schemas = components["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas |= {
        **SCHEMAS,
        FORWARD: describe_forward(),
    }
    components["responses"] = describe_problems()
    components["securitySchemes"] = {
        SECURITY_SCHEME: {
            "type": "http",
            "scheme": "bearer",
            "description": "A key of this service; what it may do are its scopes",
        }
    }
    _tidy([schema["paths"], schema["webhooks"], components])
    for name, each in schemas.items():
        _name_constants(name, each)
    components["schemas"] = {_name_page(name): each for name, each in sorted(schemas.items())}
    return schema


def _explain_parameters(operation: dict[str, Any]) -> None:
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path" and parameter["name"] in _NAMED:
            parameter.setdefault("description", _NAMED[parameter["name"]])
        schema = parameter["schema"]
        schema.pop("description", None)
        # A parameter may be left out, but it cannot be null.
        given = [each for each in schema.get("anyOf", []) if each != {"type": "null"}]
        if len(given) == 1:
            del schema["anyOf"]
            schema |= given[0]


def _name_constants(name: str, schema: dict[str, Any]) -> None:
    """Begin constants with their enum's name: in Go all enums share one scope."""
    if "enum" in schema:
        begin = _WORD.sub("_", name).upper()
        schema["x-enum-varnames"] = [
            f"{begin}_{_NO_LETTER.sub('_', value).upper()}" for value in schema["enum"]
        ]


def _tidy(node: Any, *, is_fields: bool = False) -> None:
    """Rename pages, write null as a type, and remove titles, which only repeat names.

    Several generators make a class for each union, even for one with null.
    """
    if isinstance(node, list):
        for each in node:
            _tidy(each)
    elif isinstance(node, dict):
        if not is_fields and isinstance(node.get("title"), str):
            del node["title"]
        match node.get("anyOf"):
            case [{"type": str(kind), **rest}, {"type": "null"}]:
                del node["anyOf"]
                node |= {**rest, **node, "type": [kind, "null"]}
        if isinstance(node.get("$ref"), str):
            node["$ref"] = _name_page(node["$ref"])
        for name, each in node.items():
            _tidy(each, is_fields=name == "properties")


def _name_page(name: str) -> str:
    return _PAGE.sub(r"\1Page", name)
