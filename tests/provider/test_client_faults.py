"""What a broken, slow or foreign answer says of a call: whether it left, and its outcome."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpcore2
import pytest

from app.domain.errors import (
    CallBroken,
    EmptyAnswer,
    HtmlAnswer,
    ProviderError,
    SettingsError,
    StatusAnswer,
    TooManyCalls,
    TurnedAway,
    Unreachable,
    UnreadableAnswer,
)
from app.domain.outbound.requests import OutgoingText
from app.domain.outbound.send_outcomes import ErrorClass, SendOutcome
from app.provider.client import ProviderClient
from app.provider.exchange import Timeouts
from tests.support.endpoints.wire_server import Reply, answer, reset, send_raw, serve_replies, wait
from tests.support.provider import LONDON, TOKEN, calling, make_client

HELLO = OutgoingText("API", "Hello World")
ONE = "447700900001"
IN_HASTE = Timeouts(connect=0.5, write=0.5, read=0.5, total=5)
UNTRUSTED = Path(__file__).parent / "untrusted.pem"


async def _send(client: ProviderClient) -> object:
    return await client.send(HELLO, ONE)


async def _open_report(client: ProviderClient) -> object:
    async with client.open_report("Outbox") as table:
        return [row async for row in table]


Call = Callable[[ProviderClient], Awaitable[object]]
both_ways = pytest.mark.parametrize("call", [_send, _open_report])


def _assert_not_taken(error: ProviderError) -> None:
    assert type(error) is Unreachable
    assert (error.error_class, error.outcome) == (ErrorClass.PASSING, SendOutcome.NOT_TAKEN)


def _assert_unknown(error: ProviderError) -> None:
    assert (error.error_class, error.outcome) == (ErrorClass.AMBIGUOUS, SendOutcome.UNKNOWN)


@both_ways
async def test_refused_connection_is_certainly_not_taken(call: Call) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        async with make_client(f"http://127.0.0.1:{taken.getsockname()[1]}/api") as client:
            with pytest.raises(Unreachable, match="cannot be reached") as caught:
                await call(client)

    _assert_not_taken(caught.value)


async def test_name_that_does_not_resolve_is_certainly_not_taken() -> None:
    async with make_client("http://nowhere.invalid/api") as client:
        with pytest.raises(Unreachable) as caught:
            await client.send(HELLO, ONE)

    _assert_not_taken(caught.value)


async def test_server_that_speaks_no_tls_is_certainly_not_taken() -> None:
    async with (
        serve_replies(answer("1")) as server,
        make_client(f"https://127.0.0.1:{server.port}/api", timeouts=IN_HASTE) as client,
    ):
        with pytest.raises(Unreachable) as caught:
            await client.send(HELLO, ONE)

    _assert_not_taken(caught.value)


async def test_certificate_that_the_system_does_not_trust_gets_nothing() -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(UNTRUSTED)
    async with (
        serve_replies(answer("1"), tls=tls) as server,
        make_client(f"https://localhost:{server.port}/api") as client,
    ):
        with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED") as caught:
            await client.send(HELLO, ONE)

    _assert_not_taken(caught.value)
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

    _assert_not_taken(caught.value)


async def test_short_total_timeout_ends_the_handshake_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/api"
        # Long enough that a machine which stands still for a moment does not end both at once.
        async with make_client(url, timeouts=Timeouts(total=1)) as client:
            with pytest.raises(Unreachable) as caught:
                await client.send(HELLO, ONE)

    _assert_not_taken(caught.value)


@both_ways
async def test_read_timeout_is_of_unknown_outcome(call: Call) -> None:
    async with calling(wait(5), timeouts=IN_HASTE) as (client, _):
        with pytest.raises(CallBroken, match="ReadTimeout") as caught:
            await call(client)

    _assert_unknown(caught.value)


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

    _assert_unknown(caught.value)


async def test_total_timeout_ends_a_report_that_drips() -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b'HTTP/1.1 200 OK\r\n\r\n"A"\n')
        for _ in range(100):
            writer.write(b'"1"\n')
            await writer.drain()
            await asyncio.sleep(0.02)

    async with calling(drip, timeouts=Timeouts(report_total=0.2)) as (client, _):
        with pytest.raises(CallBroken, match="TimeoutError"):
            await _open_report(client)


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


BROKEN: dict[str, Reply] = {
    "reset after the request": reset(),
    "closed without an answer": send_raw(b"", close=True),
    "cut within the head": send_raw(b"HTTP/1.1 200 OK\r\nContent-", close=True),
    "cut within the body": send_raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n35", close=True),
    "cut within a chunk": send_raw(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n35", close=True
    ),
    "cut before the last chunk": send_raw(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n35\r\n", close=True
    ),
    "no http": send_raw(b"SSH-2.0-OpenSSH_9.2\r\n", close=True),
}


@both_ways
@pytest.mark.parametrize("name", BROKEN)
async def test_call_that_breaks_after_it_left_is_of_unknown_outcome(name: str, call: Call) -> None:
    async with calling(BROKEN[name]) as (client, server):
        with pytest.raises(CallBroken, match="outcome is unknown") as caught:
            await call(client)

    _assert_unknown(caught.value)
    assert len(server.bodies) == 1


@both_ways
@pytest.mark.parametrize("status", [201, 204, 206, 408, 409, 499, 500, 502, 503, 504, 599])
async def test_status_that_proves_nothing_is_of_unknown_outcome(status: int, call: Call) -> None:
    reply = answer("" if status == 204 else "3509592", status=f"{status} X")
    async with calling(reply) as (client, server):
        with pytest.raises(StatusAnswer, match=f"status {status}") as caught:
            await call(client)

    assert caught.value.status == status
    _assert_unknown(caught.value)
    assert len(server.bodies) == 1


@both_ways
@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 403, 404, 405, 407, 421, 451, 511])
async def test_status_of_a_web_server_proves_that_the_api_never_saw_the_call(
    status: int, call: Call
) -> None:
    reply = answer("3509592", status=f"{status} X", headers="Location: https://a.example/b?c=d\r\n")
    async with calling(reply) as (client, server):
        with pytest.raises(TurnedAway, match=f"status {status}") as caught:
            await call(client)

    assert caught.value.status == status
    assert ("leads to 'https://a.example/b'" in str(caught.value)) == (status < 400)
    assert (caught.value.error_class, caught.value.outcome) == (
        ErrorClass.CONFIGURATION, SendOutcome.REFUSED,
    )  # fmt: skip
    assert len(server.bodies) == 1


@both_ways
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ("", None),
        ("Retry-After: 17\r\n", 17),
        ("Retry-After: -1\r\n", None),
        (
            "Retry-After: Mon, 01 Jun 2026 12:01:00 GMT\r\nDate: Mon, 01 Jun 2026 12:00:15 GMT\r\n",
            45,
        ),
        ("Retry-After: Mon, 01 Jun 2026 12:01:00 GMT\r\n", None),
    ],
)
async def test_request_for_fewer_calls_says_for_how_long(
    headers: str, seconds: float | None, call: Call
) -> None:
    async with calling(answer("", status="429 X", headers=headers)) as (client, _):
        with pytest.raises(TooManyCalls) as caught:
            await call(client)

    assert caught.value.retry_after_seconds == seconds
    assert (caught.value.error_class, caught.value.outcome) == (
        ErrorClass.TOO_MANY_CALLS, SendOutcome.REFUSED,
    )  # fmt: skip


@both_ways
@pytest.mark.parametrize("body", ["<!DOCTYPE html><p>Sign in", "\ufeff\n <html>\n3509592\n</html>"])
async def test_web_page_is_an_error_of_its_own(body: str, call: Call) -> None:
    async with calling(answer(body)) as (client, _):
        with pytest.raises(HtmlAnswer, match="web page") as caught:
            await call(client)

    _assert_unknown(caught.value)


@pytest.mark.parametrize("body", ["", "\r\n \n", "\ufeff", "\u00a0\u200b\n"])
async def test_empty_body_is_an_error_of_its_own(body: str) -> None:
    async with calling(answer(body)) as (client, _):
        with pytest.raises(EmptyAnswer, match="nothing at all") as caught:
            await client.send(HELLO, ONE)

    _assert_unknown(caught.value)


async def test_answer_beyond_all_measure_is_not_held_in_memory() -> None:
    async with calling(answer(b"1" * (1 << 20) + b"1")) as (client, _):
        with pytest.raises(UnreadableAnswer, match="more than 1048576 bytes"):
            await client.check_credits()


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

    _assert_not_taken(caught.value)


async def test_call_whose_body_began_to_leave_is_of_unknown_outcome() -> None:
    async with make_client("http://sim/api", pool=_BreakingPool(takes_body=True)) as client:
        with pytest.raises(CallBroken) as caught:
            await client.send(HELLO, ONE)

    _assert_unknown(caught.value)


@pytest.mark.parametrize(
    "url", ["", "ftp://example.com", "example.com/api", "http://", "http://a:b"]
)
def test_url_that_is_no_address_is_refused_at_once(url: str) -> None:
    with pytest.raises(SettingsError, match="no http or https address"):
        ProviderClient(TOKEN, url=url, zone=LONDON)


@pytest.mark.parametrize("token", ["", "two words", "line\nbreak", "tök"])
def test_token_that_cannot_be_one_is_refused_at_once_and_not_repeated(token: str) -> None:
    with pytest.raises(SettingsError, match="token is missing or mistyped") as caught:
        ProviderClient(token, url="https://provider.example.com/api", zone=LONDON)

    assert not token or token not in str(caught.value)
