"""Every state of a connection ends, and none keeps others from theirs."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from app.api.http import bounded_connection, output, protocol
from app.api.http.connections import PAUSE_SECONDS, Connections, Turnstile, find_limit
from app.cli.process.listening import configure_server
from tests.api.sockets import ThroughAsgi, read_answers, serving, serving_app, takes_all, talk
from tests.support.kit import Kit, open_kit
from tests.support.service import API_KEY, make_forward

LIVEZ = b"GET /livez HTTP/1.1\r\nHost: letterbox.test\r\n\r\n"
CLOSED = b"GET /livez HTTP/1.0\r\n\r\n"
MEBIBYTE = 1024 * 1024


def forward(message_id: str = "1") -> bytes:
    return f"GET /inbound?{make_forward(message_id)} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


@pytest.fixture
async def kit(tmp_path: Path, sqlite_url: str) -> AsyncIterator[Kit]:
    async with open_kit(sqlite_url, tmp_path) as opened:
        yield opened


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that is waited for ends within a second."""
    monkeypatch.setattr(protocol, "READ_TIMEOUT_SECONDS", 0.3)
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


async def wait_until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 nothing tells it
            await asyncio.sleep(0.02)


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


@asynccontextmanager
async def serving_few(kit: Kit, limit: int) -> AsyncIterator[tuple[int, Connections]]:
    app = kit.app
    app.connections.limit = limit
    async with serving_app(app) as port:
        yield port, app.connections


async def test_the_oldest_idle_connection_makes_room(kit: Kit) -> None:
    async with serving_few(kit, 20) as (port, connections):
        opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
        # The provider's, the oldest of all, is kept although it is idle.
        reader, writer = opened[0]
        writer.write(forward("1"))
        assert (await reader.readuntil(b"OK")).startswith(b"HTTP/1.1 200")
        opened += [await asyncio.open_connection("127.0.0.1", port) for _ in range(10)]
        for reader, _ in opened[1:11]:
            async with asyncio.timeout(5):
                with suppress(ConnectionError):
                    assert await reader.read() == b""
        assert connections.is_full
        assert (await kit.client.get("/readyz")).status_code == 200
        for reader, writer in (opened[0], *opened[11:]):
            writer.write(forward("2"))
            async with asyncio.timeout(5):
                await reader.readuntil(b"HTTP/1.1 200 OK")
        for _, writer in opened:
            writer.transport.abort()
        await wait_until(lambda: not connections.is_full)


async def test_readyz_tells_that_connections_have_run_out(kit: Kit) -> None:
    async with serving_few(kit, 2) as (port, _):
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        [answer] = read_answers(await talk(port, b"GET /readyz HTTP/1.0\r\n\r\n"))
        assert answer.status == 200
        assert b'"connections":{"status":"degraded","detail":"all 2 are in use' in answer.body
        for _, writer in idle:
            writer.transport.abort()


async def test_where_all_are_being_answered_the_newest_is_sent_away(kit: Kit) -> None:
    answering = asyncio.Event()

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        await answering.wait()
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    app = Substitute(kit, answer)
    app.connections.limit = 2
    async with serving_app(app) as port:
        first = [asyncio.create_task(talk(port, CLOSED)) for _ in range(2)]
        await asyncio.sleep(0.1)
        [refused] = read_answers(await talk(port, CLOSED))
        answering.set()
        others = [read_answers(await each)[0].status for each in first]
    assert (refused.status, refused.headers["cache-control"]) == (503, ["no-store"])
    assert others == [204, 204]


def test_the_limit_leaves_files_for_all_else() -> None:
    assert 0 < find_limit() <= 60_000


async def test_few_requests_compute_at_once_and_a_forward_waits_for_none(kit: Kit) -> None:
    at_once: list[int] = []
    running = 0

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        nonlocal running
        running += 1
        at_once.append(running)
        await asyncio.sleep(0.01)
        running -= 1
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    async with serving_app(Substitute(kit, answer)) as port:
        flood = [asyncio.create_task(talk(port, LIVEZ * 5 + CLOSED)) for _ in range(20)]
        await asyncio.sleep(0.05)
        began = time.monotonic()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(forward("1"))
        assert await reader.readuntil(b"OK")
        assert running or time.monotonic() - began < 0.1
        writer.transport.abort()
        answers = [read_answers(await each) for each in flood]
    assert {each.status for found in answers for each in found} == {204}
    assert sum(map(len, answers)) == 120
    assert max(at_once) <= 3


async def test_what_waits_long_for_others_lets_the_next_compute(kit: Kit) -> None:
    released = asyncio.Event()

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/slow":
            await released.wait()
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    async with serving_app(Substitute(kit, answer)) as port:
        slow = b"GET /slow HTTP/1.0\r\n\r\n"
        waiting = [asyncio.create_task(talk(port, slow)) for _ in range(10)]
        [answered] = read_answers(await talk(port, CLOSED))
        assert answered.status == 204
        released.set()
        await asyncio.gather(*waiting)


def test_the_line_at_the_turnstile_is_bounded_and_forgets_who_has_gone() -> None:
    turnstile = Turnstile(running=1, waiting=2)
    begun: list[str] = []

    def begin(name: str, *, waits: bool = True) -> Any:
        def enter() -> bool:
            begun.append(name)
            return waits

        return enter

    turnstile.enter(begin("first"))
    leave = turnstile.make_exit()
    turnstile.enter(begin("gone", waits=False))
    assert not turnstile.is_closed
    turnstile.enter(begin("second"))
    assert turnstile.is_closed
    leave()
    leave()
    turnstile.enter(begin("third"))
    assert begun == ["first", "gone", "second"]


async def test_requests_begin_one_by_one_while_a_forward_waits_for_its_answer() -> None:
    waits = True
    turnstile = Turnstile(lambda: waits, running=3)
    begun: list[float] = []

    def begin() -> bool:
        begun.append(time.monotonic())
        return False

    for _ in range(4):
        turnstile.enter(begin)
    assert len(begun) == 4, "what has gone holds up nobody"

    def compute() -> bool:
        begun.append(time.monotonic())
        return True

    begun.clear()
    for _ in range(6):
        turnstile.enter(compute)
    assert len(begun) == 1
    await asyncio.sleep(2.5 * PAUSE_SECONDS)
    assert 2 <= len(begun) <= 3
    assert begun[1] - begun[0] >= PAUSE_SECONDS * 0.9
    waits = False
    for _ in begun:
        turnstile.make_exit()()
    await asyncio.sleep(2 * PAUSE_SECONDS)
    assert len(begun) >= 5


async def test_probes_are_answered_while_others_wait_in_line(kit: Kit) -> None:
    """They would be answered 503 besides, and a service that is not ready gets no forwards."""
    released = asyncio.Event()

    async def hold(scope: Any, receive: Any, send: Any) -> None:
        await released.wait()

    app = Substitute(kit, hold)
    app.probes = app.real.probes
    stranger = b"GET /readyz HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n"
    async with serving_app(app) as port:
        many = [asyncio.create_task(talk(port, b"GET /docs HTTP/1.0\r\n\r\n")) for _ in range(600)]
        await wait_until(lambda: app.connections.turnstile.is_closed)
        lived = read_answers(await talk(port, LIVEZ * 3, half_close=True))
        [ready] = read_answers(await talk(port, stranger, half_close=True))
        released.set()
        await asyncio.gather(*many)
    assert [answer.status for answer in lived] == [200] * 3
    assert ready.status == 200
    assert ready.body == b'{"ready":true}'


@pytest.mark.parametrize("request_line", ["GET /livez", "GET /readyz"])
@pytest.mark.parametrize("forwarded", ["", "X-Forwarded-For: 192.0.2.1\r\n"])
async def test_the_protocol_answers_probes_as_the_endpoints_do(
    kit: Kit, request_line: str, forwarded: str
) -> None:
    asked = f"{request_line} HTTP/1.1\r\nHost: x\r\nX-Request-Id: one\r\n{forwarded}\r\n".encode()
    answers = []
    for changes in ({}, {"http": ThroughAsgi}):
        async with serving(kit, **changes) as port:
            [answer] = read_answers(await talk(port, asked, half_close=True))
            headers = {k: v for k, v in answer.headers.items() if k != "date"}
            body = json.loads(answer.body)
            body.pop("disk", None)
            answers.append((answer.status, headers | {"content-length": ""}, body))
    assert answers[0] == answers[1]


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
