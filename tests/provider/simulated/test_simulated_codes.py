"""Every error code, by magic number and by its ordinary cause, over sockets."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from app.domain.outbound.requests import OutgoingText
from app.domain.outbound.send_outcomes import SendOutcome
from app.domain.provider_errors import CodeError
from app.provider.actions import AccessLevel, NewContact, NewUser
from app.provider.codes import make_code_error
from app.simulator.actions.codes import ACCOUNT_CODES, ERROR_TEXTS
from app.simulator.state.accounts import Account
from app.simulator.state.config import AccountState
from tests.support.simulated import (
    ADA,
    GRACE,
    OUR_NUMBER,
    START,
    Simulated,
    simulated_over_sockets,
)

HELLO = OutgoingText(source=OUR_NUMBER, body="Hello")
LATER = replace(HELLO, schedule_at=START + timedelta(hours=1))
CHILD = NewUser("child", "s3cret", AccessLevel.NORMAL, "A", "B", "a@example.com", Decimal(0))

Cause = Callable[[Simulated], Awaitable[object]]


@pytest.fixture
async def provider() -> AsyncIterator[Simulated]:
    async with simulated_over_sockets() as simulated:
        yield simulated


async def catch(call: Awaitable[object]) -> CodeError:
    with pytest.raises(CodeError) as caught:
        await call
    return caught.value


async def test_each_code_comes_as_its_own_error(provider: Simulated) -> None:
    for code, text in ERROR_TEXTS.items():
        number = f"447700900{-code}"
        error = await catch(provider.client.send(HELLO, number))
        expected = make_code_error(code)
        assert (error.code, error.provider_text) == (code, text)
        assert (type(error), error.outcome) == (type(expected), expected.outcome)
    assert provider.list_taken() == []


async def test_each_code_is_one_number_or_the_whole_of_a_call_with_many(
    provider: Simulated,
) -> None:
    for code in ERROR_TEXTS:
        numbers = [ADA, f"447700900{-code}", GRACE]
        if code in ACCOUNT_CODES:
            taken = len(provider.list_taken())
            assert (await catch(provider.client.send_many(HELLO, numbers))).code == code
            assert len(provider.list_taken()) == taken
            continue
        answers = await provider.client.send_many(HELLO, numbers)
        assert [bool(answer.ids) for answer in answers] == [True, False, True]
        error = answers[1].error
        assert isinstance(error, CodeError)
        assert error.code == code


def get_account(provider: Simulated) -> Account:
    account = provider.app.simulator.world.accounts.get("demo")
    assert account is not None
    return account


async def suspend(provider: Simulated, state: AccountState) -> object:
    get_account(provider).state = state
    return await provider.client.check_credits()


async def report(provider: Simulated, kind: str) -> None:
    async with provider.client.open_report(kind, since=START, until=START):
        pass


async def send_to_group(provider: Simulated, name: str) -> None:
    await provider.client.import_contacts([NewContact("Ada", ADA, groups=("friends",))])
    await provider.client.empty_group("friends")
    await provider.client.send_to_named(HELLO, "group", name)


async def send_twice(provider: Simulated) -> None:
    provider.throw(daily_limit=1)
    await provider.client.send(HELLO, ADA)
    await provider.client.send(HELLO, ADA)


async def ask_early(provider: Simulated) -> None:
    send = await provider.client.send_to_named(HELLO, "list", "many")
    await provider.client.get_background_messages(send.ids[0])


async def blacklist(provider: Simulated) -> None:
    get_account(provider).blacklist.add(ADA)
    await provider.client.send(HELLO, ADA)


async def maintain(provider: Simulated) -> None:
    provider.throw(maintenance=True)
    await provider.client.check_credits()


async def run_dry(provider: Simulated) -> None:
    await provider.client.update_credits("child", Decimal(1000))
    await provider.client.send(HELLO, ADA)


CAUSES: dict[str, tuple[int, Cause]] = {
    "no credits": (-100, run_dry),
    "no number": (-401, lambda p: p.client.send(HELLO, "12")),
    "no route": (-406, lambda p: p.client.send(HELLO, "8881234567890")),
    "past": (-407, lambda p: p.client.send(replace(LATER, schedule_at=START), ADA)),
    "empty list": (-408, lambda p: p.client.send_to_named(HELLO, "list", "nobody")),
    "empty group": (-409, lambda p: send_to_group(p, "friends")),
    "unknown list": (-410, lambda p: p.client.send_to_named(HELLO, "list", "no-such")),
    "daily limit": (-411, send_twice),
    "blacklist": (-412, blacklist),
    "unknown group": (-414, lambda p: send_to_group(p, "no-such")),
    "unknown message": (-503, lambda p: p.client.check_message_status("1")),
    "too late to cancel": (-503, lambda p: p.client.cancel_message("1")),
    "taken name": (-508, lambda p: p.client.create_user(CHILD)),
    "nobody's child": (-509, lambda p: p.client.update_credits("no-such", Decimal(1))),
    "more than it has": (-510, lambda p: p.client.update_credits("child", Decimal(-5000))),
    "maintenance": (-511, maintain),
    "suspended": (-512, lambda p: suspend(p, "suspended")),
    "licence in use": (-513, lambda p: suspend(p, "license-in-use")),
    "licence expired": (-514, lambda p: suspend(p, "license-expired")),
    "no licence": (-515, lambda p: suspend(p, "no-license")),
    "unknown group to empty": (-520, lambda p: p.client.empty_group("no-such")),
    "unknown group to delete": (-520, lambda p: p.client.delete_group("no-such")),
    "unknown background send": (-521, lambda p: p.client.get_background_messages("1")),
    "unfinished background send": (-522, ask_early),
    "unknown report": (-601, lambda p: report(p, "NoSuch")),
}


@pytest.mark.parametrize("name", CAUSES)
async def test_each_code_comes_from_its_ordinary_cause(provider: Simulated, name: str) -> None:
    code, cause = CAUSES[name]
    error = await catch(cause(provider))
    assert error.code == code
    assert error.outcome is SendOutcome.REFUSED


async def test_a_token_that_changed_is_told_for_what_it_is(provider: Simulated) -> None:
    get_account(provider).token = "another-token"
    error = await catch(provider.client.check_credits())
    assert error.code == -501
    assert "copy it again" in str(error)
