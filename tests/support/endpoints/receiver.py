"""An endpoint over a socket, which answers as a test tells it to."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

PATIENCE_SECONDS = 30.0


@dataclass(frozen=True)
class Received:
    """A request that came in whole."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def content(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


@dataclass(frozen=True)
class Reply:
    """How to answer: after `seconds`; `is_reset` cuts the connection instead."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b"ok"
    seconds: float = 0.0
    is_reset: bool = False

    def write(self) -> bytes:
        lines = [
            f"HTTP/1.1 {self.status} Words",
            *(f"{name}: {text}" for name, text in self.headers),
        ]
        lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode() + self.body


HANGS = Reply(seconds=3600)
Decide = Callable[[Received], Reply]


@dataclass
class Receiver:
    """What came in, in order; `decide` answers."""

    decide: Decide = field(default=lambda _: Reply())
    got: list[Received] = field(default_factory=list)
    port: int = 0
    connections: int = 0
    most_at_once: int = 0
    _at_once: int = 0
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def ids(self) -> list[str]:
        return [each.id for each in self.got]

    async def wait(self, count: int) -> list[Received]:
        """Until so many requests have come."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(self.got) < count:
                self._news.clear()
                await self._news.wait()
        return self.got

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            while True:
                received = await _read(reader)
                self._at_once += 1
                self.most_at_once = max(self.most_at_once, self._at_once)
                try:
                    self.got.append(received)
                    self._news.set()
                    if not await _answer(writer, self.decide(received)):
                        return
                finally:
                    self._at_once -= 1
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def close(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=5)
        # Their transports close in the loop's next round.
        await asyncio.sleep(0.01)


async def _read(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): text.strip() for name, _, text in pairs}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(first.split(" ")[1], headers, body)


async def _answer(writer: asyncio.StreamWriter, reply: Reply) -> bool:
    """Whether the connection stays open."""
    if reply.seconds:
        await asyncio.sleep(reply.seconds)
    if reply.is_reset:
        return False
    writer.write(reply.write())
    await writer.drain()
    return True


@asynccontextmanager
async def receiving(
    decide: Decide = lambda _: Reply(), *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Receiver]:
    """An endpoint on a free port of 127.0.0.1."""
    receiver = Receiver(decide)
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        await receiver.close()
