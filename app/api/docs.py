"""/docs: the OpenAPI description as a page that loads nothing from other hosts."""

import asyncio
import gzip
import json
import re
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.routing import Route

from app.api.core.calls import PREFIX
from app.api.core.errors import ALL_KINDS
from app.api.core.problems import PROBLEMS_PATH, ProblemKind
from app.api.middleware.compression import accepts_gzip
from app.domain.errors import NotFound

STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
h2 { margin-top: 2.5rem; }
h2::first-letter { text-transform: capitalize; }
details { border-top: 1px solid #8886; padding: .5rem 0; }
summary { cursor: pointer; }
summary code { font-weight: bold; }
table { border-collapse: collapse; margin: .5rem 0 1rem; width: 100%; }
th, td { border-bottom: 1px solid #8883; padding: .25rem .75rem .25rem 0; text-align: left; }
td { overflow-wrap: anywhere; vertical-align: top; }
table { table-layout: fixed; }
code { overflow-wrap: anywhere; }
details details { margin-left: 1rem; }
pre { overflow-wrap: anywhere; white-space: pre-wrap; }
"""
# The pages are where /docs is, also below a path of the host.
BACK = '<p><a href="./">Back to Letterbox</a></p>'
# What descriptions and advice mark as code.
_CODE = re.compile(r"`([^`]*)`")
POLICY = (
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)


def make_docs_routes(app: FastAPI) -> list[Route]:
    """The description and its page, each built only once because they need no key."""
    # FastAPI cannot make a description in two threads at once.
    writing = asyncio.Lock()
    page = _Written(writing, lambda: render_docs(app.openapi()))
    schema = _Written(
        writing, lambda: json.dumps(app.openapi(), ensure_ascii=False, separators=(",", ":"))
    )

    async def show_docs(request: Request) -> Response:
        return await page.answer(request, "text/html", {"Content-Security-Policy": POLICY})

    async def show_schema(request: Request) -> Response:
        return await schema.answer(request, "application/json")

    async def list_problems(_: Request) -> Response:
        return _answer_page(render_problems(ALL_KINDS, ""))

    async def show_problem(request: Request) -> Response:
        slug = request.path_params["slug"]
        found = [kind for kind in ALL_KINDS if kind.slug == slug]
        if not found:
            raise NotFound("no problem has this name; /problems lists all")
        return _answer_page(render_problems(found, "../"))

    async def show_style(_: Request) -> Response:
        return Response(STYLE, media_type="text/css")

    # None takes parameters, for which FastAPI would look at length.
    return [
        Route("/docs", show_docs),
        Route("/openapi.json", show_schema),
        Route(PROBLEMS_PATH, list_problems),
        Route(PROBLEMS_PATH + "/{slug}", show_problem),
        Route("/docs.css", show_style),
    ]


def _answer_page(page: str) -> Response:
    headers = {"Content-Security-Policy": POLICY}
    return Response(page, media_type="text/html", headers=headers)


class _Written:
    """A text that is built on the first request, and sent plain or compressed."""

    def __init__(self, writing: asyncio.Lock, write: Callable[[], str]) -> None:
        """`writing` is held while `write` runs, in a thread."""
        self._writing = writing
        self._write = write
        self._plain = self._packed = b""

    async def answer(
        self, request: Request, media_type: str, headers: Mapping[str, str] | None = None
    ) -> Response:
        async with self._writing:
            if not self._plain:
                # Building takes up to a second, which no forward should wait for.
                self._plain = (await asyncio.to_thread(self._write)).encode()
                self._packed = await asyncio.to_thread(gzip.compress, self._plain)
        headers = {**(headers or {}), "Vary": "Accept-Encoding"}
        body = self._plain
        if accepts_gzip(request.headers):
            body = self._packed
            headers["Content-Encoding"] = "gzip"
        return Response(body, media_type=media_type, headers=headers)


def render_docs(schema: dict[str, Any]) -> str:
    """The page, from the OpenAPI description."""
    groups: dict[str, list[str]] = {}
    problems = schema["components"].get("responses", {})
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            shown = _render_operation(path, method, operation, problems)
            groups.setdefault(operation["tags"][0], []).append(shown)
    sections = "".join(f"<h2>{escape(name)}</h2>{''.join(shown)}" for name, shown in groups.items())
    schemas = "".join(
        _render_schema(name, each) for name, each in sorted(schema["components"]["schemas"].items())
    )
    paragraphs = "".join(
        f"<p>{_mark_code(escape(text))}</p>"
        for text in schema["info"]["description"].strip().split("\n\n")
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<title>Letterbox: REST interface</title><link rel="stylesheet" href="docs.css"></head>'
        f"<body>{BACK}<h1>Letterbox: REST interface</h1>{paragraphs}"
        f'<p>For programs: <a href="openapi.json">openapi.json</a>. Try it: <code>curl -H'
        f" 'Authorization: Bearer KEY' …{PREFIX}/messages</code></p>"
        f"{sections}<h2>Objects</h2>{schemas}</body></html>"
    )


def _render_schema(name: str, schema: dict[str, Any]) -> str:
    """An object with its fields, or the values that a field may have; below it, as programs see it.

    The first sentence of its description is its title.
    """
    text = schema.get("description", "")
    title, _, rest = text.partition("\n")
    required = set(schema.get("required", []))
    rows = [
        (
            field,
            f"{_describe_type(each)}{'' if field in required else ', optional'}",
            each.get("description", ""),
        )
        for field, each in schema.get("properties", {}).items()
    ]
    kind = "" if rows else f"<p>{_describe_type(schema)}</p>"
    return (
        f'<details id="{escape(name)}"><summary><code>{escape(name)}</code>'
        f" {_mark_code(escape(title))}</summary>"
        f"{f'<p>{_mark_code(escape(rest.strip()))}</p>' if rest.strip() else ''}"
        f"{kind}{_render_table('Field', rows)}"
        f"<details><summary>JSON schema</summary><pre>"
        f"{escape(json.dumps(schema, indent=2, ensure_ascii=False))}</pre></details></details>"
    )


def render_problems(kinds: Sequence[ProblemKind], up: str) -> str:
    """The page that the `type` of a problem leads to, or of all of them.

    `up` leads to where /docs is: the service may be below a path of its host.
    """
    shown = "".join(
        f"<h2>{escape(kind.title)}</h2><p><code>{kind.status} {kind.type}</code></p>"
        f"<p>{_mark_code(escape(kind.advice))}</p>"
        for kind in kinds
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<title>Letterbox: errors</title>"
        f'<link rel="stylesheet" href="{up}docs.css"></head>'
        f"<body>{BACK.replace('./', up or './')}<h1>Errors of the REST interface</h1>{shown}"
        f'<p><a href="{up}problems">All errors</a>,'
        f' <a href="{up}docs">the whole interface</a></p></body></html>'
    )


def _mark_code(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", text)


def _render_operation(
    path: str, method: str, operation: dict[str, Any], problems: dict[str, Any]
) -> str:
    parameters = [
        (each["name"], _describe_type(each["schema"]), each.get("description", ""))
        for each in operation.get("parameters", [])
    ]
    answers = [
        (status, _describe_content(answer), answer.get("description", ""))
        for status, each in operation["responses"].items()
        for answer in (problems[each["$ref"].rpartition("/")[2]] if "$ref" in each else each,)
    ]
    body = operation.get("requestBody")
    text = operation.get("description", "")
    return (
        f"<details><summary><code>{method.upper()} {escape(path)}</code>"
        f" {escape(operation['summary'])}</summary><p>{_mark_code(escape(text))}</p>"
        f"{_render_scope(operation)}{_render_table('Parameter', parameters)}"
        f"{f'<p>Body: {_describe_content(body)}</p>' if body else ''}"
        f"{_render_table('Answer', answers)}</details>"
    )


def _render_scope(operation: dict[str, Any]) -> str:
    scopes = [
        scope
        for each in operation.get("security", [])
        for names in each.values()
        for scope in names
    ]
    return f"<p>Scope: <code>{escape(', '.join(scopes))}</code></p>" if scopes else ""


def _render_table(heading: str, rows: list[tuple[str, str, str]]) -> str:
    """The middle column is HTML already."""
    if not rows:
        return ""
    lines = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{kind}</td><td>{_mark_code(escape(text))}</td></tr>"
        for name, kind, text in rows
    )
    return f"<table><tr><th>{heading}</th><th></th><th></th></tr>{lines}</table>"


def _describe_content(described: dict[str, Any]) -> str:
    return ", ".join(
        f"{escape(name)} {_describe_type(each.get('schema', {}))}"
        for name, each in described.get("content", {}).items()
    )


def _describe_type(schema: dict[str, Any]) -> str:
    """A short name of a type, as HTML."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_describe_type(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(escape(str(each)) for each in schema["enum"])
    kind = schema.get("type", "")
    if kind == "array" and "items" in schema:
        return f"list of {_describe_type(schema['items'])}"
    return escape(schema.get("format") or (kind if isinstance(kind, str) else kind[0]))
