"""What is no forward is never taken for one: every path with all of its own parameters."""

import re
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from app.web import application
from tests.support.kit import Kit

# What a member or a program may well write in any of them.
TEXT = "Your auth=x, msg=y; source: 1, dest"
TEMPLATES = Path(application.__file__).parent / "templates"
SCREENS = re.compile(r'\bname="(\w+)"')
# Written by macros, whose callers name them.
NAMED = ("source", "dest", "body", "name", "keyword", "contains", "pattern", "reply", "label")


def fill_path(path: str) -> str:
    return re.sub(r"\{\w+(?::int)?\}", "9", path)


async def is_taken(kit: Kit, method: str, path: str, **options: Any) -> bool:
    answer = await kit.client.request(method, fill_path(path), **options)
    return "forwards go to /inbound" in answer.text


@pytest.mark.parametrize("key", ["", "Bearer wrong"])
async def test_no_call_of_the_interface_is_taken_for_a_forward(kit: Kit, key: str) -> None:
    spec = (await kit.client.get("/openapi.json")).json()
    schemas = spec["components"]["schemas"].values()
    fields = {name for schema in schemas for name in schema.get("properties", ())}
    assert {"source", "dest", "auth"} <= fields
    body = {name: {name: TEXT} for name in sorted(fields - {"auth"})}
    headers = {"Authorization": key}
    count = 0
    for path, methods in spec["paths"].items():
        if path == "/inbound":
            continue
        for method, operation in methods.items():
            names = [each["name"] for each in operation.get("parameters", ())]
            assert not await is_taken(
                kit, method.upper(), path, params=dict.fromkeys(names, TEXT), headers=headers
            )
            assert not await is_taken(kit, method.upper(), path, json=body, headers=headers)
            count += 1
    assert count > 80


async def test_no_form_of_the_pages_is_taken_for_a_forward(kit: Kit) -> None:
    written = "".join(each.read_text() for each in TEMPLATES.rglob("*.html"))
    names = {*SCREENS.findall(written), *NAMED}
    assert len(names) > 50
    fields = dict.fromkeys(sorted(names), TEXT)
    parts = dict.fromkeys(fields, (None, TEXT))
    routes = application.Pages(kit.runtime).routes
    asked = [(route.path, method) for route in routes for method in route.methods or ()]
    # A form that no page of ours has sent is refused unread, which is when its body is looked into.
    for (path, method), origin in product(asked, ("https://elsewhere.test", None)):
        headers = {"Origin": origin} if origin else {}
        if method == "POST":
            assert not await is_taken(kit, method, path, data=fields, headers=headers), path
            assert not await is_taken(kit, method, path, files=parts, headers=headers), path
        elif path != "/live":
            assert not await is_taken(kit, method, path, params=fields, headers=headers), path
