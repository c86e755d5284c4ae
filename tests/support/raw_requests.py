"""Requests as a stranger writes them: any bytes in headers, path and query, over ASGI."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

# Of a machine with other work: to describe the interface takes a second of its own.
PATIENCE_SECONDS = 30.0

Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class RawAnswer:
    status: int
    headers: dict[str, str]
    body: bytes


async def ask_raw(
    app: Any,
    method: str,
    path: str,
    headers: Headers = (),
    *,
    query: bytes = b"",
    body: bytes = b"",
    host: bytes = b"texts.example.com",
) -> RawAnswer:
    """One request; `path` is percent-encoded. What the application raises is raised here.

    A stream is left as soon as it has begun. TimeoutError where that takes five seconds.
    """
    answer: dict[str, Any] = {}
    chunks: list[bytes] = []
    began = asyncio.Event()
    sent = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> dict[str, Any]:
        for message in sent:
            return message
        await began.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            answer.update(message)
            began.set()
        else:
            chunks.append(message.get("body", b""))

    named = () if any(name == b"host" for name, _ in headers) else ((b"host", host),)
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query,
        "headers": [*named, *headers],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
        "scheme": "http",
        "root_path": "",
        "state": {},
    }
    async with asyncio.timeout(PATIENCE_SECONDS):
        await app(scope, receive, send)
    found = {name.decode("latin-1"): value.decode("latin-1") for name, value in answer["headers"]}
    return RawAnswer(answer["status"], found, b"".join(chunks))
