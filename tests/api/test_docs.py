"""The description of the interface: complete, with fictitious numbers, and shown by ourselves."""

import asyncio
import json
import re
import time
from typing import Any

import httpx2
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import compile_path

from app.api.docs import make_docs_routes
from app.api.rest import build_rest
from tests.api.running import BASE_URL, Running

Operation = tuple[str, str]
# Names that Java, Kotlin, Go, Python, TypeScript or its DOM give to something else.
TAKEN = {
    "Boolean", "Character", "Class", "Date", "Document", "Element", "Error", "Event", "Exception",
    "File", "Headers", "Integer", "Iterable", "Key", "List", "Long", "Map", "Module", "Number",
    "Object", "Option", "Optional", "Package", "Process", "Range", "Record", "Request", "Response",
    "Result", "Runtime", "Set", "String", "System", "Text", "Thread", "Type", "Unit", "Void",
}  # fmt: skip
ASKING = {"credits", "reports", "contacts", "groups", "users", "provider"}


def list_operations(schema: dict[str, Any]) -> dict[Operation, dict[str, Any]]:
    return {
        (method.upper(), path): operation
        for path, operations in schema["paths"].items()
        for method, operation in operations.items()
    }


def find(schema: dict[str, Any], described: dict[str, Any]) -> Any:
    """What is described, in the components if it is there."""
    if "$ref" in described:
        for name in described["$ref"].removeprefix("#/").split("/"):
            schema = schema[name]
        return schema
    return described


async def test_every_route_is_described_and_nothing_else(lone_api: Running) -> None:
    rest = build_rest(lone_api.runtime, lifespan=lone_api.app)
    routed = {
        (method, compile_path(str(route.path))[1])
        for route in iter_route_contexts(rest.routes)
        if isinstance(route.original_route, APIRoute)
        for method in route.methods or ()
    }
    described = list_operations((await lone_api.client.get("/openapi.json")).json())
    inbound = {("GET", "/inbound"), ("POST", "/inbound")}
    pages = {"/docs", "/docs.css", "/openapi.json", "/problems", "/problems/{slug}"}
    assert set(described) == (routed | inbound) - {("GET", page) for page in pages}
    names = [operation["operationId"] for operation in described.values()]
    assert len(set(names)) == len(names)


async def test_every_endpoint_tells_its_scope_and_its_errors(lone_api: Running) -> None:
    schema = (await lone_api.client.get("/openapi.json")).json()
    scopes: dict[tuple[str, ...], set[str]] = {}
    for (_, path), operation in list_operations(schema).items():
        if not path.startswith("/api/v1/"):
            assert not operation.get("security")
            continue
        [needed] = [tuple(names) for each in operation["security"] for names in each.values()]
        scopes.setdefault(needed, set()).add(path.split("/")[3])
        for status in ("401", "403", "422", "503"):
            answer = find(schema, operation["responses"][status])
            [[media_type, content]] = answer["content"].items()
            assert media_type == "application/problem+json"
            assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
        assert ("404" in operation["responses"]) == ("{" in path)
    assert scopes == {
        ("messages:read",): {
            "messages",
            "conversations",
            "people",
            "outbound",
            "events",
            "stats",
            "opt-outs",
            "batches",
            "saved-replies",
        },
        ("messages:send",): {
            "outbound",
            "opt-outs",
            "conversations",
            "people",
            "batches",
            "saved-replies",
        },
        ("rules:write",): {"rules"},
        ("admin",): {
            "webhooks",
            "numbers",
            "keys",
            "members",
            "refusals",
            "erasures",
            "messages",
            "alerts",
            "audit",
            "reconcile",
            "sender",
        }
        | ASKING,
        ("messages:send", "messages:read"): {"messages"},
        ("rules:write", "messages:read"): {"rules"},
    }
    assert schema["components"]["securitySchemes"]["bearerAuth"]["scheme"] == "bearer"


async def test_every_parameter_is_explained(lone_api: Running) -> None:
    schema = (await lone_api.client.get("/openapi.json")).json()
    bare = [
        (method, path, parameter["name"])
        for (method, path), operation in list_operations(schema).items()
        for parameter in operation.get("parameters", [])
        if not parameter.get("description")
    ]
    assert bare == []
    assert all(operation["summary"] for operation in list_operations(schema).values())


async def test_no_change_has_a_default_which_generated_clients_would_send(
    lone_api: Running,
) -> None:
    schema = (await lone_api.client.get("/openapi.json")).json()
    schemas = schema["components"]["schemas"]
    changes = [
        operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        for (method, _), operation in list_operations(schema).items()
        if method == "PATCH"
    ]
    assert {"RuleChanges", "NumberChanges", "KeyChanges"} <= set(changes)
    for name in changes:
        assert "required" not in schemas[name]
        assert '"default"' not in json.dumps(schemas[name])
    until = schemas["RuleChanges"]["properties"]["valid_until"]
    assert (until["type"], until["format"]) == (["string", "null"], "date-time")


async def test_every_field_and_object_is_explained(lone_api: Running) -> None:
    schema = (await lone_api.client.get("/openapi.json")).json()
    schemas = schema["components"]["schemas"]
    bare = [
        (name, field)
        for name, each in schemas.items()
        for field, described in each.get("properties", {}).items()
        if not find(schema, described).get("description")
    ]
    assert bare == []
    assert [name for name, each in schemas.items() if not each.get("description")] == []
    assert {tag["name"] for tag in schema["tags"] if tag["description"]} == {
        operation["tags"][0] for operation in list_operations(schema).values()
    }


async def test_no_object_hides_a_type_of_a_language(lone_api: Running) -> None:
    """Generated clients import these names beside those that each language has by itself."""
    names = set((await lone_api.client.get("/openapi.json")).json()["components"]["schemas"])
    assert not names & TAKEN
    # Go's constructor for Rule is NewRule.
    assert not [name for name in names if name.removeprefix("New") in names - {name}]
    assert not [name for name in names if not re.fullmatch("([A-Z][a-z]+)+", name)]


async def test_codes_and_states_have_names(lone_api: Running) -> None:
    schema = (await lone_api.client.get("/openapi.json")).json()
    properties = {
        name: each["properties"]
        for name, each in schema["components"]["schemas"].items()
        if "properties" in each
    }
    for described, name in (
        (properties["Message"]["via"], "MessageVia"),
        (properties["Outbound"]["status"], "OutboundStatus"),
        (properties["Rule"]["days"]["items"], "Weekday"),
        (properties["ApiKey"]["scopes"]["items"], "ApiScope"),
    ):
        assert described["$ref"] == f"#/components/schemas/{name}"
        assert find(schema, described)["enum"]
    constants = [
        constant
        for each in schema["components"]["schemas"].values()
        for constant in each.get("x-enum-varnames", ())
    ]
    assert "OUTBOUND_STATUS_SENT" in constants
    assert len(set(constants)) == len(constants)
    parameters = schema["paths"]["/api/v1/outbound"]["get"]["parameters"]
    assert "OutboundStatus" in json.dumps(parameters)


async def test_a_type_is_one_type_in_every_language(lone_api: Running) -> None:
    schema = (await lone_api.client.get("/openapi.json")).json()
    properties = schema["components"]["schemas"]["OutboundCreate"]["properties"]
    assert properties["to"]["type"] == ["array", "null"]
    amount = schema["components"]["schemas"]["UserCreate"]["properties"]["credits"]
    assert amount["type"] == ["string", "null"]
    assert "default" not in amount
    assert "prefixItems" not in json.dumps(schema)
    bodies = schema["paths"]["/inbound"]["post"]["requestBody"]["content"].values()
    assert [body["schema"] for body in bodies] == [{"$ref": "#/components/schemas/Forward"}] * 3
    for (_, path), operation in list_operations(schema).items():
        types = operation["responses"].get("200", {}).get("content", {})
        if "application/json" in types:
            assert list(types) == ["application/json"], path
        for parameter in operation.get("parameters", []):
            assert "null" not in json.dumps(parameter["schema"]), (path, parameter["name"])


async def test_the_description_says_whose_it_is_and_where_things_are(lone_api: Running) -> None:
    schema = (await lone_api.client.get("/openapi.json")).json()
    assert schema["info"]["license"]["identifier"] == "MIT"
    assert schema["info"]["contact"]["name"]
    assert [server["url"] for server in schema["servers"]] == [BASE_URL]
    for path in ("keys", "numbers", "rules", "opt-outs"):
        created = schema["paths"][f"/api/v1/{path}"]["post"]["responses"]["201"]
        assert created["headers"]["Location"]["description"]
    answers = schema["paths"]["/api/v1/reconcile"]["post"]["responses"]
    assert {"409", "502", "503"} <= set(answers)


async def test_no_example_is_a_date_that_passes(lone_api: Running) -> None:
    text = (await lone_api.client.get("/openapi.json")).text
    assert not re.findall(r"20\d\d-\d\d-\d\d", text)


async def test_every_number_of_the_description_is_fiction(lone_api: Running) -> None:
    text = (await lone_api.client.get("/openapi.json")).text
    numbers = set(re.findall(r"\b\d{11,13}\b|\b07\d{3} ?\d{6}", text))
    assert numbers
    assert all(re.fullmatch("(447700|07700 )900[0-9]{3}", number) for number in numbers)


async def test_the_page_lists_every_operation_and_asks_no_other_host(lone_api: Running) -> None:
    answer = await lone_api.client.get("/docs")
    described = list_operations((await lone_api.client.get("/openapi.json")).json())
    for method, path in described:
        assert f"<code>{method} {path}</code>" in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    addresses = set(re.findall(r'(?:href|src)="([^"]*)"', answer.text))
    assert {"docs.css", "openapi.json"} <= addresses
    targets = {each.removeprefix("#") for each in addresses if each.startswith("#")}
    assert targets <= set(re.findall(r'id="([^"]*)"', answer.text))
    assert not [each for each in addresses if ":" in each or each.startswith("/")]
    assert "<script" not in answer.text
    style = await lone_api.client.get("/docs.css")
    assert style.headers["content-type"].startswith("text/css")
    assert "url(" not in style.text


async def test_the_description_is_written_once_and_packed_on_request(lone_api: Running) -> None:
    for path in ("/docs", "/openapi.json"):
        plain = await lone_api.client.get(path, headers={"Accept-Encoding": "identity"})
        packed = await lone_api.client.get(path, headers={"Accept-Encoding": "gzip"})
        assert "content-encoding" not in plain.headers
        assert packed.headers["content-encoding"] == "gzip"
        assert packed.content == plain.content
        assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) / 4
        assert plain.headers["vary"] == "Accept-Encoding"


async def test_the_page_and_the_description_can_be_asked_for_at_once() -> None:
    """The library that describes the interface raises KeyError where two threads are in it."""
    making: list[int] = []

    class Described(FastAPI):
        def openapi(self) -> dict[str, Any]:
            making.append(1)
            time.sleep(0.05)
            assert making == [1]
            making.clear()
            return {"info": {"description": "x"}, "paths": {}, "components": {"schemas": {}}}

    app = Described(openapi_url=None, docs_url=None, redoc_url=None)
    app.router.routes.extend(make_docs_routes(app))
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app), base_url="http://letterbox.test"
    ) as client:
        answers = await asyncio.gather(client.get("/docs"), client.get("/openapi.json"))
    assert [answer.status_code for answer in answers] == [200, 200]


async def test_the_page_of_the_interface_shows_fields_and_leads_back(lone_api: Running) -> None:
    page = (await lone_api.client.get("/docs")).text
    assert '<a href="./">Back to Letterbox</a>' in page
    shown = re.sub("<pre>.*?</pre>", "", page, flags=re.DOTALL)
    assert "`" not in shown
    assert "<tr><th>Field</th>" in shown
    problems = (await lone_api.client.get("/problems/not-found")).text
    assert '<a href="../">Back to Letterbox</a>' in problems
