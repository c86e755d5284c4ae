"""Strangers with small means: `python -m tests.e2e.floods NAME PORT COUNT`, until it is ended."""

import asyncio
import contextlib
import itertools
import socket
import sys
from collections.abc import Awaitable, Callable

PATIENCE_SECONDS = 30.0
# New connections a second, all in all.
RATE = 400

Stranger = Callable[[int], Awaitable[None]]


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


async def ask_often(port: int, path: str) -> None:
    """Twenty requests in one go, and all answers read."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(get(path) * 19 + get(path).replace(b"Host", b"Connection: close\r\nHost"))
        while await reader.read(1024 * 1024):
            pass
    finally:
        writer.transport.abort()


async def never_read(port: int) -> None:
    await _hold(port, get("/docs") * 3)


async def say_nothing(port: int) -> None:
    await _hold(port)


async def answer_with_an_empty_line(port: int) -> None:
    await _hold(port, get("/livez"), b"\r\n")


async def read_slowly(port: int) -> None:
    """As `slowhttptest -X` does: little room, a few bytes a second."""
    narrow = socket.socket()
    narrow.setblocking(False)
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    loop = asyncio.get_running_loop()
    with narrow:
        await loop.sock_connect(narrow, ("127.0.0.1", port))
        await loop.sock_sendall(narrow, get("/docs") * 3)
        while await loop.sock_recv(narrow, 32):  # noqa: ASYNC110 that is what it is
            await asyncio.sleep(1)


async def send_slowly(port: int, start: bytes, piece: bytes) -> None:
    """As `slowhttptest -H` and `-B` do."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(start)
        while not reader.at_eof():
            await asyncio.sleep(1)
            writer.write(piece)
            await writer.drain()
    finally:
        writer.transport.abort()


async def send_too_much(port: int) -> None:
    await _ask(port, b"POST /inbound HTTP/1.1\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70_000)


async def forward_wrongly(port: int) -> None:
    await _ask(port, get("/inbound?auth=wrong&dest=447700900456&msg=" + "%26=" * 15_000))


async def forward_a_long_list(port: int) -> None:
    body = b'{"auth": "wrong", "x": [' + b'"a", ' * 12_000 + b'"a"]}'
    head = b"POST /inbound HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    await _ask(port, head % len(body) + body)


async def say_nonsense(port: int) -> None:
    await _ask(port, b"\x16\x03\x01\x02\x00\x01")


async def _ask(port: int, request: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        await reader.read(1024)
    finally:
        writer.transport.abort()


async def _hold(port: int, *pieces: bytes) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0.1)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(PATIENCE_SECONDS)
    finally:
        writer.transport.abort()


FLOODS: dict[str, Stranger] = {
    "docs": lambda port: ask_often(port, "/docs"),
    "openapi": lambda port: ask_often(port, "/openapi.json"),
    "sign-in": lambda port: ask_often(port, "/sign-in"),
    "livez": lambda port: ask_often(port, "/livez"),
    "readyz": lambda port: ask_often(port, "/readyz"),
    "never-read": never_read,
    "read-slowly": read_slowly,
    "idle": say_nothing,
    "empty-lines": answer_with_an_empty_line,
    "slow-heads": lambda port: send_slowly(port, b"GET /docs HTTP/1.1\r\n", b"X: y\r\n"),
    "slow-bodies": lambda port: send_slowly(
        port, b"POST /inbound HTTP/1.1\r\nContent-Length: 9999\r\n\r\n", b"x"
    ),
    "too-large": send_too_much,
    "wrong-auth": forward_wrongly,
    "long-list": forward_a_long_list,
    "nonsense": say_nonsense,
}


async def flood(stranger: Stranger, port: int, count: int) -> None:
    """So many at once, each anew when it has been served or sent away."""

    async def go_on() -> None:
        while True:
            with contextlib.suppress(OSError):
                await stranger(port)
            await asyncio.sleep(0.01)

    tasks = []
    for number in itertools.count(1):
        if number <= count:
            tasks.append(asyncio.create_task(go_on()))
        await asyncio.sleep(1 / RATE if number < count else 1)


if __name__ == "__main__":
    asyncio.run(flood(FLOODS[sys.argv[1]], int(sys.argv[2]), int(sys.argv[3])))
