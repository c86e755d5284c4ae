"""Every state of a connection ends, and what is asked and answered is bounded."""

import asyncio
import socket
from contextlib import suppress
from typing import Any

import pytest

from app.api.http import bounded_connection, forward_connection, output, protocol
from app.cli.process.listening import configure_server
from tests.api.sockets import (
    CLOSED,
    LIVEZ,
    Substitute,
    forward,
    read_answers,
    serving,
    serving_app,
    takes_all,
    talk,
    wait_until,
)
from tests.support.kit import Kit
from tests.support.service import API_KEY

MEBIBYTE = 1024 * 1024


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that is waited for ends within a second."""
    for module in (protocol, forward_connection):
        monkeypatch.setattr(module, "READ_TIMEOUT_SECONDS", 0.3)
    monkeypatch.setattr(protocol, "BODY_TIMEOUT_SECONDS", 0.3)
    monkeypatch.setattr(bounded_connection, "LINGER_SECONDS", 0.3)
    monkeypatch.setattr(bounded_connection, "CHECK_SECONDS", 0.1)
    monkeypatch.setattr(output, "WRITE_TIMEOUT_SECONDS", 0.5)


async def is_ended(port: int, *pieces: bytes) -> bool:
    """Whether the server closes a connection on which this was sent and nothing more is said."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0.05)
        async with asyncio.timeout(10):
            while await reader.read(65536):
                pass
            # What lingers has said its last, and ends all the same.
            with suppress(ConnectionError):
                while True:
                    writer.write(b"x")
                    await writer.drain()
                    await asyncio.sleep(0.05)
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    finally:
        writer.transport.abort()
    return True


PIECES = {
    "nothing": (),
    "an empty line": (b"\r\n",),
    "an answer, then an empty line": (LIVEZ, b"\r\n"),
    "a forward, then an empty line": (forward(), b"\r\n"),
    "a forward, then a part of a head": (forward(), b"GET /inb"),
    "an answer, then a part of a head": (LIVEZ, b"GET /liv"),
    "a head without an end": (b"GET /livez HTTP/1.1\r\nX: y\r\n",),
    "a forward's body that stops": (b"POST /inbound HTTP/1.1\r\nContent-Length: 9\r\n\r\nx",),
    "chunks that stop": (b"POST /inbound HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nx",),
    "trailers that stop": (
        b"POST /inbound HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n",
    ),
    "another body that stops": (b"POST /sign-in HTTP/1.1\r\nContent-Length: 9\r\n\r\nx",),
    "no request": (b"{}",),
    "100-continue": (
        b"POST /inbound HTTP/1.1\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n",
    ),
}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("state", PIECES)
async def test_every_state_ends_by_itself(kit: Kit, state: str) -> None:
    async with serving(kit, timeout_keep_alive=0.3) as port:
        assert await is_ended(port, *PIECES[state])


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("waits", [0.0, 0.2])
async def test_a_reader_that_never_reads_is_cut_off(kit: Kit, waits: float) -> None:
    """What it asked for is more than the buffers of both sides hold."""
    large = b"x" * 16 * MEBIBYTE

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(waits)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": large})

    async with serving_app(Substitute(kit, answer)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(LIVEZ * 3)
        await asyncio.sleep(1.5)
        received = 0
        with suppress(ConnectionError):
            async with asyncio.timeout(10):
                while data := await reader.read(65536):
                    received += len(data)
        assert received < len(large)
        writer.transport.abort()


async def write_requests(writer: asyncio.StreamWriter, size: int) -> None:
    for _ in range(size // len(LIVEZ * 1_000)):
        writer.write(LIVEZ * 1_000)
        await writer.drain()


async def test_who_reads_no_answers_is_not_read_either(kit: Kit) -> None:
    """Else its requests would pile up here, and the more there are the longer each one takes."""

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x" * MEBIBYTE})

    async with serving_app(Substitute(kit, answer)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        # Both sides' kernels hold some.
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(write_requests(writer, 24 * MEBIBYTE), 3)
        # Once it reads, it is read again.
        async with asyncio.timeout(10):
            await reader.readexactly(32 * MEBIBYTE)
        writer.transport.abort()


@pytest.mark.usefixtures("quick")
async def test_a_slow_reader_is_not_cut_off(kit: Kit) -> None:
    large = b"x" * MEBIBYTE

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(4):
            await send({"type": "http.response.body", "body": large, "more_body": True})
        await send({"type": "http.response.body"})

    async with serving_app(Substitute(kit, answer)) as port:
        reader, writer = await connect_narrowly(port)
        writer.write(CLOSED)
        received = b""
        async with asyncio.timeout(30):
            while data := await reader.read(64 * 1024):
                received += data
                await asyncio.sleep(0.02)
        assert received.partition(b"\r\n\r\n")[2] == large * 4
        writer.transport.abort()


async def connect_narrowly(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection whose buffers hold little, so that reading shows at the other end at once."""
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 * 1024)
    narrow.connect(("127.0.0.1", port))
    return await asyncio.open_connection(sock=narrow, limit=32 * 1024)


async def test_413_is_seen_after_twenty_megabytes(kit: Kit) -> None:
    body = b"x" * 20_000_000
    head = b"POST /inbound HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body)
    async with serving(kit) as port:
        [answer] = read_answers(await talk(port, head + body))
    assert answer.status == 413
    assert answer.headers["connection"] == ["close"]


@pytest.mark.parametrize("path", [b"/inbound", b"/livez", b"/api/v1/messages"])
async def test_405_is_seen_after_twenty_megabytes(kit: Kit, path: bytes) -> None:
    body = b"x" * 20_000_000
    head = b"PUT %s HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (path, len(body))
    async with serving(kit) as port:
        [answer] = read_answers(await talk(port, head + body))
    assert answer.status == 405


async def test_lingering_is_bounded(kit: Kit) -> None:
    head = b"POST /inbound HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n"
    async with serving(kit) as port:
        assert not await takes_all(port, head, b"x" * MEBIBYTE, 64)


async def test_an_export_to_http_1_0_is_not_in_chunks(kit: Kit) -> None:
    await kit.forward("1")
    head = f"HTTP/1.0\r\nAuthorization: Bearer {API_KEY}\r\n\r\n".encode()
    async with serving(kit) as port:
        [answer] = read_answers(await talk(port, b"GET /api/v1/messages/export " + head))
    assert answer.headers["connection"] == ["close"]
    assert "transfer-encoding" not in answer.headers
    assert answer.body.startswith(b"\xef\xbb\xbfid,") or answer.body.startswith(b"id,")
    assert answer.body.endswith(b"\r\n")


async def test_a_stream_ends_when_its_caller_has_gone(kit: Kit) -> None:
    head = f"HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {API_KEY}\r\n\r\n".encode()
    app = kit.app
    async with serving_app(app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /api/v1/events " + head)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.close()
        await writer.wait_closed()
        await wait_until(lambda: not len(app.connections))


async def test_chunk_extensions_of_a_mebibyte_are_not_read(kit: Kit) -> None:
    """A body of two bytes, and round about it more than any body is."""
    head = b"POST /inbound HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    piece = b"1;x=%s\r\na\r\n" % (b"y" * 7000)
    async with serving(kit) as port:
        [answer] = read_answers(await talk(port, head + piece * 150 + b"0\r\n\r\n"))
        [few] = read_answers(await talk(port, head + piece * 140 + b"0\r\n\r\n", half_close=True))
    assert (answer.status, few.status) == (413, 403)


async def test_balancers_close_an_idle_connection_before_the_service_does() -> None:
    """They keep it for 60 s as a rule; whoever closes first loses no request."""
    assert configure_server(build_rest_stub).timeout_keep_alive == 75


async def build_rest_stub(_scope: object, _receive: object, _send: object) -> None:
    """An application that is never called."""
