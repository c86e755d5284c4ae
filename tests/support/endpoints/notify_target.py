"""Somewhere that Apprise sends to over a socket: a server that takes, refuses, dawdles or hangs."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

SECRET = "s3cr3t-t0ken-of-an-address"


@dataclass
class NotifyTarget:
    """What each path took. `modes` say how a path behaves: `ok` unless it is in there."""

    port: int = 0
    modes: dict[str, str] = field(default_factory=dict)
    taken: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    called: dict[str, int] = field(default_factory=dict)
    # Set once a message was taken.
    news: asyncio.Event = field(default_factory=asyncio.Event)
    serving: set[asyncio.Task[None]] = field(default_factory=set)

    def address(self, name: str) -> str:
        """The Apprise address of a path, with a password in it."""
        return f"json://robot:{SECRET}@127.0.0.1:{self.port}/{name}"

    def titles(self, name: str) -> list[str]:
        return [each["title"] for each in self.taken.get(name, [])]

    def last(self, name: str) -> str:
        """The newest message that a path took."""
        return str(self.taken[name][-1]["message"])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.serving.add(task)
        try:
            await self._answer(reader, writer)
        finally:
            self.serving.discard(task)
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.partition("content-length:")[2].split("\r\n")[0])
            body = json.loads(await reader.readexactly(length))
            name = head.split()[1].partition("?")[0].strip("/")
            self.called[name] = self.called.get(name, 0) + 1
            mode = self.modes.get(name, "ok")
            if mode == "hang":
                await reader.read()  # until the caller gives up
            elif mode == "slow":
                # Always in time for a reader's own timeout, never done.
                writer.write(b"HTTP/1.1 200 OK\r\n")
                while not reader.at_eof():
                    writer.write(b"x-still: here\r\n")
                    await writer.drain()
                    await asyncio.sleep(0.05)
            else:
                status = b"500 Server Error" if mode == "500" else b"200 OK"
                writer.write(b"HTTP/1.1 %b\r\ncontent-length: 0\r\n\r\n" % status)
                await writer.drain()
                writer.close()
                await writer.wait_closed()
                if mode == "ok":
                    self.taken.setdefault(name, []).append(body)
                    self.news.set()
        writer.close()


@asynccontextmanager
async def serving_target() -> AsyncIterator[NotifyTarget]:
    """One on a free port."""
    target = NotifyTarget()
    server = await asyncio.start_server(target.serve, "127.0.0.1", 0)
    target.port = server.sockets[0].getsockname()[1]
    try:
        yield target
    finally:
        server.close()
        for task in target.serving:
            task.cancel()
        await asyncio.gather(*target.serving, return_exceptions=True)
