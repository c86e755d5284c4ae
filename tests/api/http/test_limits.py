"""No connection and no request keeps others from theirs: the oldest make room, the rest queue."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from app.api.http import exchange
from app.api.http.connections import PAUSE_SECONDS, RUNNING, Connections, Turnstile, find_limit
from app.api.inbound import misdirected
from tests.api.sockets import (
    CLOSED,
    LIVEZ,
    Substitute,
    ThroughAsgi,
    forward,
    read_answers,
    serving,
    serving_app,
    talk,
    wait_until,
)
from tests.support.kit import Kit


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


async def test_nobody_waits_for_a_body_that_does_not_come_to_a_wrong_path(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "COMPUTES_SECONDS", 60)
    monkeypatch.setattr(misdirected, "WAIT_SECONDS", 60)
    begun = b"POST /sms HTTP/1.1\r\nHost: letterbox.test\r\nContent-Length: 9\r\n\r\n"
    async with serving(kit) as port:
        waiting = [asyncio.create_task(talk(port, begun)) for _ in range(2 * RUNNING)]
        # Pages and the interface are imported with their first request.
        for path in (b"/sign-in", b"/docs"):
            ask = b"GET %s HTTP/1.1\r\nHost: letterbox.test\r\nConnection: close\r\n\r\n" % path
            [answer] = read_answers(await talk(port, ask))
            assert answer.status == 200
        assert not any(each.done() for each in waiting)
        for each in waiting:
            each.cancel()


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
