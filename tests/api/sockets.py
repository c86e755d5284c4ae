"""The server as it is configured, over real sockets, and callers that write what they like."""

import asyncio
import contextlib
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn

from app.api.http.protocol import HttpProtocol
from app.cli.process.listening import configure_server
from tests.support.kit import Kit
from tests.support.service import make_forward

PATIENCE_SECONDS = 20.0
LIVEZ = b"GET /livez HTTP/1.1\r\nHost: letterbox.test\r\n\r\n"
CLOSED = b"GET /livez HTTP/1.0\r\n\r\n"


class ThroughAsgi(HttpProtocol):
    """The same protocol, but that forwards go the way of all other requests."""

    hands_over = False


class Substitute:
    """The application with something else in the place of all but forwards."""

    def __init__(self, kit: Kit, answer: Any) -> None:
        self.real = kit.app
        self.inbound = self.real.inbound
        self.connections = self.real.connections
        self.probes: Any = self
        self._answer = answer

    def find_answer(self, *_: Any) -> None:
        """Nor are probes answered without it."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._answer(scope, receive, send)


@asynccontextmanager
async def serving(kit: Kit, **changes: Any) -> AsyncIterator[int]:
    """The kit's runtime behind the server; gives the port. `changes` are the configuration's."""
    async with serving_app(kit.app, **changes) as port:
        yield port


@asynccontextmanager
async def serving_app(app: Any, **changes: Any) -> AsyncIterator[int]:
    """Any application behind the server; gives the port."""
    config = configure_server(app)
    for name, value in {"port": 0, "lifespan": "off", **changes}.items():
        setattr(config, name, value)
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    await server.on_tick(0)  # which brings the date
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        await server.shutdown()


def forward(message_id: str = "1") -> bytes:
    return f"GET /inbound?{make_forward(message_id)} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


async def talk(port: int, *pieces: bytes, half_close: bool = False, pause: float = 0.01) -> bytes:
    """Send the pieces, each after a moment, and read to the end of the connection.

    `half_close` tells that nothing more comes, as `nc -N` does.
    """
    async with asyncio.timeout(PATIENCE_SECONDS):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(pause)
            if half_close:
                writer.write_eof()
            return await reader.read()
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


async def takes_all(port: int, head: bytes, piece: bytes, count: int) -> bool:
    """Whether so many pieces can be sent behind a head."""
    async with asyncio.timeout(20):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(head)
            for _ in range(count):
                writer.write(piece)
                await writer.drain()
        except ConnectionError:
            return False
        finally:
            writer.transport.abort()
        return True


def count_refusals(kit: Kit) -> Counter[str]:
    """By reason; those of a size have an alert instead."""
    [metric] = kit.runtime.metrics.refused.collect()
    counts = {
        each.labels["reason"]: int(each.value)
        for each in metric.samples
        if each.name.endswith("_total") and each.labels["reason"] != "too-large"
    }
    return Counter(counts)


async def wait_until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 nothing tells it
            await asyncio.sleep(0.02)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, list[str]]
    body: bytes


def read_answers(received: bytes, *, without_bodies: bool = False) -> list[Answer]:
    """All answers of a connection, as strictly as HTTP has it."""
    found = []
    while received:
        head, blank, received = received.partition(b"\r\n\r\n")
        assert blank, received
        line, *fields = head.decode().split("\r\n")
        matched = re.fullmatch(r"HTTP/1\.1 (\d{3}) .*", line)
        assert matched, line
        headers: dict[str, list[str]] = {}
        for field in fields:
            name, _, value = field.partition(": ")
            headers.setdefault(name.lower(), []).append(value)
        if matched[1] in {"100", "204"} or without_bodies:
            body = b""
        elif "content-length" in headers:
            [length] = headers["content-length"]
            body, received = received[: int(length)], received[int(length) :]
            assert len(body) == int(length)
        elif headers.get("transfer-encoding") == ["chunked"]:
            body, received = _read_chunks(received)
        else:
            body, received = received, b""
        found.append(Answer(int(matched[1]), headers, body))
    return found


def _read_chunks(received: bytes) -> tuple[bytes, bytes]:
    body = b""
    while True:
        line, _, received = received.partition(b"\r\n")
        size = int(line, 16)
        body += received[:size]
        assert received[size : size + 2] == b"\r\n"
        received = received[size + 2 :]
        if not size:
            return body, received
