"""What a call that was not answered says: whether it left, and its outcome."""

import asyncio
import socket
import ssl
from pathlib import Path

import httpcore2
import pytest

from app.domain.provider_errors import CallBroken, ProviderError, Unreachable
from app.provider.exchange import Timeouts
from tests.provider.both_ways import (
    HELLO,
    IN_HASTE,
    ONE,
    Call,
    assert_not_taken,
    assert_unknown,
    both_ways,
    open_report,
)
from tests.support.endpoints.wire_server import answer, reset, send_raw, serve_replies, wait
from tests.support.provider import calling, make_client

UNTRUSTED = Path(__file__).parent / "untrusted.pem"


@both_ways
async def test_refused_connection_is_certainly_not_taken(call: Call) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        async with make_client(f"http://127.0.0.1:{taken.getsockname()[1]}/api") as client:
            with pytest.raises(Unreachable, match="cannot be reached") as caught:
                await call(client)

    assert_not_taken(caught.value)


async def test_name_that_does_not_resolve_is_certainly_not_taken() -> None:
    async with make_client("http://nowhere.invalid/api") as client:
        with pytest.raises(Unreachable) as caught:
            await client.send(HELLO, ONE)

    assert_not_taken(caught.value)


async def test_server_that_speaks_no_tls_is_certainly_not_taken() -> None:
    async with (
        serve_replies(answer("1")) as server,
        make_client(f"https://127.0.0.1:{server.port}/api", timeouts=IN_HASTE) as client,
    ):
        with pytest.raises(Unreachable) as caught:
            await client.send(HELLO, ONE)

    assert_not_taken(caught.value)


async def test_certificate_that_the_system_does_not_trust_gets_nothing() -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(UNTRUSTED)
    async with (
        serve_replies(answer("1"), tls=tls) as server,
        make_client(f"https://localhost:{server.port}/api") as client,
    ):
        with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED") as caught:
            await client.send(HELLO, ONE)

    assert_not_taken(caught.value)
    assert server.bodies == []


async def test_certificate_that_is_trusted_gets_the_call() -> None:
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(UNTRUSTED)
    trusting = ssl.create_default_context(cafile=str(UNTRUSTED))
    async with (
        serve_replies(answer("12"), tls=server_side) as server,
        make_client(f"https://localhost:{server.port}/api", tls=trusting) as client,
    ):
        assert await client.check_credits() == 12


async def test_handshake_that_never_ends_is_certainly_not_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/api"
        async with make_client(url, timeouts=IN_HASTE) as client:
            with pytest.raises(Unreachable, match="too long") as caught:
                await client.send(HELLO, ONE)

    assert_not_taken(caught.value)


async def test_short_total_timeout_ends_the_handshake_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/api"
        # Long enough that a machine which stands still for a moment does not end both at once.
        async with make_client(url, timeouts=Timeouts(total=1)) as client:
            with pytest.raises(Unreachable) as caught:
                await client.send(HELLO, ONE)

    assert_not_taken(caught.value)


@both_ways
async def test_read_timeout_is_of_unknown_outcome(call: Call) -> None:
    async with calling(wait(5), timeouts=IN_HASTE) as (client, _):
        with pytest.raises(CallBroken, match="ReadTimeout") as caught:
            await call(client)

    assert_unknown(caught.value)


async def test_total_timeout_ends_an_answer_that_drips() -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
        for _ in range(100):
            writer.write(b"1")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with calling(drip, timeouts=Timeouts(total=0.2)) as (client, _):
        with pytest.raises(CallBroken, match="TimeoutError") as caught:
            await client.send(HELLO, ONE)

    assert_unknown(caught.value)


async def test_total_timeout_ends_a_report_that_drips() -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b'HTTP/1.1 200 OK\r\n\r\n"A"\n')
        for _ in range(100):
            writer.write(b'"1"\n')
            await writer.drain()
            await asyncio.sleep(0.02)

    async with calling(drip, timeouts=Timeouts(report_total=0.2)) as (client, _):
        with pytest.raises(CallBroken, match="TimeoutError"):
            await open_report(client)


async def test_slow_reader_of_a_report_does_not_use_up_its_time() -> None:
    reply = answer('"A"\n"1"\n"2"\n')
    async with (
        calling(reply, timeouts=Timeouts(report_total=0.5)) as (client, _),
        client.open_report("Outbox") as table,
    ):
        rows = []
        async for row in table:
            rows.append(row)
            await asyncio.sleep(0.3)

    assert rows == [["1"], ["2"]]


async def test_client_works_on_after_each_failure() -> None:
    replies = (reset(), answer("x", status="500 Oops"), wait(5), answer("<p>"), answer("12"))
    async with calling(*replies, timeouts=IN_HASTE) as (client, _):
        for _ in range(4):
            with pytest.raises(ProviderError):
                await client.check_credits()

        assert await client.check_credits() == 12


async def test_idle_connection_that_the_server_closed_costs_no_call() -> None:
    async with calling(send_raw(b"HTTP/1.1 200 OK\r\n\r\n12", close=True)) as (client, server):
        for _ in range(3):
            assert await client.check_credits() == 12

    assert server.connections == 3


async def test_cancelled_call_frees_its_place() -> None:
    async with calling(wait(5), answer("12"), concurrency=1) as (client, server):
        call = asyncio.create_task(client.check_credits())
        await server.arrived.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

        assert await client.check_credits() == 12


class _BreakingPool:
    """Breaks before the request's body leaves, or as soon as its first bytes have."""

    def __init__(self, *, takes_body: bool) -> None:
        self._takes_body = takes_body

    async def handle_async_request(self, request: httpcore2.Request) -> httpcore2.Response:
        if self._takes_body:
            await anext(aiter(request.stream))  # type: ignore[arg-type]
        raise httpcore2.WriteError("gone")

    async def aclose(self) -> None:
        pass


async def test_call_whose_body_never_began_to_leave_is_certainly_not_taken() -> None:
    async with make_client("http://sim/api", pool=_BreakingPool(takes_body=False)) as client:
        with pytest.raises(Unreachable) as caught:
            await client.send(HELLO, ONE)

    assert_not_taken(caught.value)


async def test_call_whose_body_began_to_leave_is_of_unknown_outcome() -> None:
    async with make_client("http://sim/api", pool=_BreakingPool(takes_body=True)) as client:
        with pytest.raises(CallBroken) as caught:
            await client.send(HELLO, ONE)

    assert_unknown(caught.value)
