"""Reads /events as a client does, over ASGI, for the in-process transport waits for an end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.api.running import ADMIN_KEY, Running

PATIENCE_SECONDS = 30.0


@dataclass(frozen=True)
class Event:
    """What stood between two blank lines; comments are left out."""

    id: str
    name: str
    data: str


@dataclass
class Stream:
    """One open stream; `raw` is all that came."""

    status: int = 0
    raw: str = ""
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    flowing: asyncio.Event = field(default_factory=asyncio.Event)
    _gone: asyncio.Event = field(default_factory=asyncio.Event)
    _text: str = ""
    _events: asyncio.Queue[Event] = field(default_factory=asyncio.Queue)

    async def next(self) -> Event:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self._events.get()

    async def wait_until_ended(self) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self.ended.wait()

    async def run(self, app: Any, scope: dict[str, Any]) -> None:
        await app(scope, self._receive, self._send)
        self.ended.set()

    def hang_up(self) -> None:
        self.flowing.set()
        self._gone.set()

    async def _receive(self) -> dict[str, Any]:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            return
        await self.flowing.wait()
        text = message.get("body", b"").decode()
        self.raw += text
        self._text += text
        *whole, self._text = self._text.split("\n\n")
        for text in whole:
            fields = dict(line.split(": ", 1) for line in text.split("\n") if line[0] != ":")
            if fields:
                event = Event(fields.get("id", ""), fields.get("event", ""), fields.get("data", ""))
                self._events.put_nowait(event)


@asynccontextmanager
async def streaming(
    api: Running,
    *,
    after: str | None = None,
    key: str = ADMIN_KEY,
    stalled: bool = False,
    query: str = "",
) -> AsyncIterator[Stream]:
    """GET /events, hung up at the end."""
    headers = [(b"authorization", f"Bearer {key}".encode())]
    if after is not None:
        headers.append((b"last-event-id", after.encode()))
    address = "/api/v1/events"
    async with opening(api.app, address, headers, stalled=stalled, query=query) as stream:
        yield stream


@asynccontextmanager
async def opening(
    app: Any,
    path: str,
    headers: list[tuple[bytes, bytes]],
    *,
    stalled: bool = False,
    query: str = "",
) -> AsyncIterator[Stream]:
    """GET a path that streams, hung up at the end."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
    }
    stream = Stream()
    if not stalled:
        stream.flowing.set()
    task = asyncio.create_task(stream.run(app, scope))
    try:
        yield stream
    finally:
        stream.hang_up()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await task
