"""The description of every path as OpenAPI, /inbound included, which no framework knows of."""

from http import HTTPStatus
from typing import Any, get_args

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.api.dependencies import PREFIX, SECURITY_SCHEME
from app.api.errors import (
    IDEMPOTENCY_KINDS,
    MEDIA_TYPE,
    NO_PROVIDER,
    PROBLEMS,
    PROVIDER_PROBLEMS,
    Kind,
)
from app.api.inbound import PATH
from app.api.schemas import A_SENDER, OUR_NUMBER
from app.domain.errors import FaultCode
from app.provider.bodies import MAX_BYTES

DESCRIPTION = """
Letterbox keeps the texts that an SMS provider forwards, serves them, and sends others.

Send `Authorization: Bearer <key>`. Errors are `application/problem+json` (RFC 9457) with a
stable `type`. Unknown parameters and fields are refused. Ids and cursors are opaque; times are
RFC 3339 in UTC.

Lists are `{"items": […], "next": …}`: repeat the request with `cursor` set to `next`, or follow the
header `Link`.
"""

_PROBLEM: dict[str, Any] = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "examples": ["/problems/not-found"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "request_id": {
            "type": "string",
            "description": "as in the header `X-Request-Id` and in the log",
        },
        "code": {"type": "integer", "description": "the provider's error code"},
        "text": {"type": "string", "description": "what the provider says of its code"},
        "details": {
            "type": "array",
            "description": "every line that the provider wrote beneath its code",
            "items": {"type": "string"},
        },
        "errors": {
            "type": "array",
            "description": "with 422: each field that is off",
            "items": {
                "type": "object",
                "required": ["field", "code", "detail"],
                "properties": {
                    "field": {
                        "type": "string",
                        "description": "its name; those of nested fields have dots between",
                        "examples": ["to.3"],
                    },
                    "code": {
                        "type": "string",
                        "enum": list(get_args(FaultCode)),
                        "description": "what is wrong with it; new codes may be added",
                    },
                    "detail": {"type": "string", "description": "the same for people"},
                },
            },
        },
    },
}

_TEXT: dict[str, Any] = {"text/plain": {"schema": {"type": "string"}}}
_FORWARD: dict[str, tuple[str, str]] = {
    "source": ("who sent the text", A_SENDER),
    "dest": ("the virtual number that was texted", OUR_NUMBER),
    "msg": ("the text", "Is the shop open on Sunday?"),
    "id": ("the provider's id of the text", "184467"),
    "receivedts": ("the provider's local time", "2026-06-01 13:00:00"),
    "auth": ("the secret that the provider passes through", "the-auth-value-of-the-number"),
    **dict.fromkeys(
        ("MMName", "MMEmail", "MM1", "MM2", "MM3", "MM4", "MM5"),
        ("a merge field, from a distribution list", ""),
    ),
}

# What a path names where its endpoint says no more of it.
_NAMED = {
    "id": "as a list or an event gives it",
    "number": "digits alone, or as people write it",
    "name": "as a list gives it",
}
# Operations that can meet what exists already.
_CONFLICTING = frozenset(
    {
        "add_number",
        "create_rule",
        "replay_message",
        "send_text",
        "cancel_outbound",
        "resolve_outbound",
    }
)
# What asks the provider.
_ASKING = frozenset({"credits", "reports", "contacts", "groups", "users"})
# What single operations can end in besides.
_SPECIAL: dict[str, tuple[Kind, ...]] = {
    "send_text": (NO_PROVIDER, *IDEMPOTENCY_KINDS.values()),
    "cancel_outbound": PROVIDER_PROBLEMS,
}


def install_openapi(app: FastAPI) -> None:
    """Give the application its whole description, made on first use."""

    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _make_schema(app)
        return app.openapi_schema

    app.openapi = describe  # type: ignore[method-assign]  # as FastAPI's page on extending says


def _make_schema(app: FastAPI) -> dict[str, Any]:
    schema = get_openapi(
        title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes
    )
    # In the order in which people look for them, not the routing order.
    paths = sorted(schema["paths"].items(), key=lambda each: not each[0].startswith(PREFIX))
    schema["paths"] = {**dict(paths), PATH: _describe_inbound()}
    components = schema.setdefault("components", {})
    components["securitySchemes"] = {SECURITY_SCHEME: {"type": "http", "scheme": "bearer"}}
    schemas = components["schemas"]
    schemas["Problem"] = _PROBLEM
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for path, operations in schema["paths"].items():
        if path.startswith(PREFIX):
            for operation in operations.values():
                _add_problems(operation, path)
                _name_parameters(operation)
    return schema


def _name_parameters(operation: dict[str, Any]) -> None:
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path" and parameter["name"] in _NAMED:
            parameter.setdefault("description", _NAMED[parameter["name"]])


def _add_problems(operation: dict[str, Any], path: str) -> None:
    """Every answer that is an error, as far as this operation can give it."""
    named = {each["name"].lower() for each in operation.get("parameters", ())}
    excluded = {
        HTTPStatus.NOT_FOUND: "{" not in path,
        HTTPStatus.CONFLICT: operation["operationId"] not in _CONFLICTING,
        HTTPStatus.BAD_REQUEST: "requestBody" not in operation,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "requestBody" not in operation,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "requestBody" not in operation,
        HTTPStatus.PRECONDITION_FAILED: "if-match" not in named,
    }
    by_status: dict[int, list[Kind]] = {}
    asked = PROVIDER_PROBLEMS if operation["tags"][0] in _ASKING else ()
    for kind in (*PROBLEMS, *asked, *_SPECIAL.get(operation["operationId"], ())):
        if not excluded.get(kind.status, False):
            by_status.setdefault(int(kind.status), []).append(kind)
    for status, alike in sorted(by_status.items()):
        operation["responses"][str(status)] = _describe_problem(alike)


def _describe_problem(kinds: list[Kind]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "description": "; ".join(f"`{kind.type}`: {kind.title}" for kind in kinds),
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    headers = {name: {"schema": {"type": "string"}} for kind in kinds for name in kind.headers}
    if headers:
        described["headers"] = headers
    return described


def _describe_inbound() -> dict[str, Any]:
    responses = {
        "200": {"description": "`OK`: the message is on disk, or was already", "content": _TEXT},
        "400": {"description": "the request cannot be read, or ended too early", "content": _TEXT},
        "403": {"description": "`auth` or the caller's address is wrong", "content": _TEXT},
        "408": {"description": "the request did not arrive in time", "content": _TEXT},
        "413": {"description": f"over {MAX_BYTES // 1024} KiB", "content": _TEXT},
        "503": {
            "description": "nothing durable can be written; send it again",
            "content": _TEXT,
            "headers": {"Retry-After": {"schema": {"type": "integer"}}},
        },
    }
    fields = {
        name: {"type": "string", "description": text, **({"examples": [value]} if value else {})}
        for name, (text, value) in _FORWARD.items()
    }
    form = {"schema": {"type": "object", "properties": fields, "additionalProperties": True}}
    shared = {
        "tags": ["inbound"],
        "security": [],
        "responses": responses,
        "parameters": [
            {
                "name": name,
                "in": "query",
                "description": field["description"],
                "schema": {"type": "string"},
                **({"example": field["examples"][0]} if "examples" in field else {}),
            }
            for name, field in fields.items()
        ],
    }
    description = (
        "The address to put into the provider's page. Names are taken in any case, unknown"
        " parameters are kept; with the right `auth` no content is refused, however odd."
    )
    types = ("application/x-www-form-urlencoded", "multipart/form-data", "application/json")
    return {
        "get": {
            **shared,
            "operationId": "forward_by_get",
            "summary": "Forward a text by GET",
            "description": description,
        },
        "post": {
            **shared,
            "operationId": "forward_by_post",
            "summary": "Forward a text by POST",
            "description": f"{description} Query and body may be mixed.",
            "requestBody": {"required": False, "content": dict.fromkeys(types, form)},
        },
    }
