"""What a foreign or broken answer says of a call, and its outcome."""

import pytest

from app.domain.errors import SettingsError
from app.domain.outbound.send_outcomes import ErrorClass, SendOutcome
from app.domain.provider_errors import (
    CallBroken,
    EmptyAnswer,
    HtmlAnswer,
    StatusAnswer,
    TooManyCalls,
    TurnedAway,
    UnreadableAnswer,
)
from app.provider.client import ProviderClient
from tests.provider.both_ways import HELLO, ONE, Call, assert_unknown, both_ways
from tests.support.endpoints.wire_server import Reply, answer, reset, send_raw
from tests.support.provider import LONDON, TOKEN, calling

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

    assert_unknown(caught.value)
    assert len(server.bodies) == 1


@both_ways
@pytest.mark.parametrize("status", [201, 204, 206, 408, 409, 499, 500, 502, 503, 504, 599])
async def test_status_that_proves_nothing_is_of_unknown_outcome(status: int, call: Call) -> None:
    reply = answer("" if status == 204 else "3509592", status=f"{status} X")
    async with calling(reply) as (client, server):
        with pytest.raises(StatusAnswer, match=f"status {status}") as caught:
            await call(client)

    assert caught.value.status == status
    assert_unknown(caught.value)
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

    assert_unknown(caught.value)


@pytest.mark.parametrize("body", ["", "\r\n \n", "\ufeff", "\u00a0\u200b\n"])
async def test_empty_body_is_an_error_of_its_own(body: str) -> None:
    async with calling(answer(body)) as (client, _):
        with pytest.raises(EmptyAnswer, match="nothing at all") as caught:
            await client.send(HELLO, ONE)

    assert_unknown(caught.value)


async def test_answer_beyond_all_measure_is_not_held_in_memory() -> None:
    async with calling(answer(b"1" * (1 << 20) + b"1")) as (client, _):
        with pytest.raises(UnreadableAnswer, match="more than 1048576 bytes"):
            await client.check_credits()


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
