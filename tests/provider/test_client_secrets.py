"""The token and a child's password stand in the request's body, and nowhere else."""

import asyncio
import logging
import socket
import traceback
from collections.abc import Iterator
from decimal import Decimal

import pytest

from app.domain.errors import LetterboxError
from app.domain.outbound.requests import OutgoingText
from app.domain.provider_errors import CountMismatch, MissingColumns
from app.provider.actions import AccessLevel, NewUser
from app.provider.calls import form_create_user
from app.provider.exchange import Timeouts
from app.provider.quoting import clip, make_hider
from app.provider.reports import read_messages
from tests.support.endpoints.wire_server import Reply, answer, reset, wait
from tests.support.provider import LONDON, TOKEN, calling, make_client

HELLO = OutgoingText("API", "Hello World")
PASSWORD = "p4ssw0rd-of-anna"
USER = NewUser("anna", PASSWORD, AccessLevel.NORMAL, "Anna", "Og", "anna@example.com", Decimal(1))
ECHO = f"Token {TOKEN} (Tok3n-of.the%2Faccount) {PASSWORD}"
IN_HASTE = Timeouts(read=0.1)

FAILING: dict[str, Reply] = {
    "code": answer(f"-507\n{ECHO}\n{ECHO}"),
    "nonsense": answer(ECHO),
    "page": answer(f"<p>{ECHO}</p>"),
    "status": answer(ECHO, status="500 Internal Server Error"),
    "reset": reset(),
    "timeout": wait(5),
}


def _walk(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _tell_all(error: BaseException) -> str:
    """All that a log or an error tracker could print of an error and of those behind it."""
    chain = list(_walk(error))
    frames = "".join(traceback.TracebackException.from_exception(error).format(chain=True))
    return "\n".join([frames, *map(repr, chain), *(repr(vars(each)) for each in chain)])


def _assert_hidden(text: str) -> None:
    assert TOKEN not in text
    assert "Tok3n-of.the%2Faccount" not in text
    assert PASSWORD not in text


@pytest.mark.parametrize("name", FAILING)
async def test_no_error_carries_a_secret(
    name: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    async with calling(FAILING[name], timeouts=IN_HASTE) as (client, server):
        with pytest.raises(LetterboxError) as caught:
            await client.create_user(USER)
        sent = server.bodies[0].decode()

    assert f"ChildPassword={PASSWORD}" in sent
    _assert_hidden(_tell_all(caught.value))
    assert list(_walk(caught.value)) == [caught.value]
    assert caplog.records
    _assert_hidden(caplog.text)
    _assert_hidden("".join(capsys.readouterr()))


@pytest.mark.parametrize("name", ["code", "status", "reset", "timeout"])
async def test_no_error_of_a_report_carries_a_secret(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with calling(FAILING[name], timeouts=IN_HASTE) as (client, _):
        with pytest.raises(LetterboxError) as caught:
            async with client.open_report("Outbox"):
                pass

    _assert_hidden(_tell_all(caught.value).replace(PASSWORD, ""))
    _assert_hidden(caplog.text)


async def test_headings_that_echo_the_token_are_blotted_out() -> None:
    async with calling(answer(f'"{TOKEN}","B"\n')) as (client, _):
        with pytest.raises(MissingColumns) as caught:
            async with client.open_report("Outbox") as table:
                [row async for row in read_messages(table, LONDON)]

    assert caught.value.headings == ("[hidden]", "B")
    _assert_hidden(_tell_all(caught.value))


async def test_answers_that_echo_the_token_are_blotted_out() -> None:
    text, numbers = OutgoingText("API", "Hello"), ["447700900001", "447700900002"]
    async with calling(answer(f"{TOKEN},{TOKEN},1")) as (client, _):
        with pytest.raises(CountMismatch) as caught:
            await client.send_many(text, numbers)

    assert caught.value.answers == ("[hidden]", "[hidden]", "1")


async def test_locals_of_our_own_frames_carry_no_secret() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        async with make_client(f"http://127.0.0.1:{taken.getsockname()[1]}/api") as client:
            with pytest.raises(LetterboxError) as caught:
                await client.create_user(USER)
    error = caught.value
    frames = list(traceback.walk_tb(error.__traceback__))[1:]
    trace = traceback.StackSummary.extract(iter(frames), capture_locals=True)

    assert len(trace) >= 3
    _assert_hidden("".join(trace.format()))


async def test_cancelled_call_carries_no_secret_in_its_chain() -> None:
    async with calling(wait(5)) as (client, server):
        call = asyncio.create_task(client.create_user(USER))
        await server.arrived.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await call

    _assert_hidden("\n".join(map(repr, _walk(caught.value))))


def test_reprs_hide_values() -> None:
    client = make_client("http://127.0.0.1:1/api")

    _assert_hidden(repr(client) + repr(USER) + repr(form_create_user(USER)))


def test_short_secret_is_blotted_out_only_as_a_word() -> None:
    hide = make_hider(("a", ""))

    assert hide("a bad a=a day, -a") == "[hidden] bad [hidden]=[hidden] day, -[hidden]"
    assert make_hider(())("a") == "a"


@pytest.mark.parametrize("padding", range(60, 90))
async def test_secret_at_the_end_of_an_excerpt_is_not_halved(padding: int) -> None:
    body = f"{'x ' * (padding // 2)}Token={TOKEN} and more words"
    async with calling(answer(body)) as (client, _):
        with pytest.raises(LetterboxError) as caught:
            await client.check_credits()

    assert "Token=Tok" not in str(caught.value)


def test_text_without_a_space_is_not_quoted_in_part() -> None:
    assert clip("x" * 81) == "..."
    assert clip("x" * 80) == "x" * 80
    assert clip("one two three", 7) == "one..."


async def test_short_password_breaks_no_answer() -> None:
    user = NewUser("anna", "1", AccessLevel.NORMAL, "A", "B", "a@example.com", Decimal(1))
    async with calling(answer("1"), answer("-508\nPassword 1 is too short")) as (client, _):
        await client.create_user(user)
        with pytest.raises(LetterboxError, match=r"-508: Password \[hidden\] is too short"):
            await client.create_user(user)
