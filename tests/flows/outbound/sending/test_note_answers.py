"""Every answer of the provider is counted, and an account error seen by any call stops sending."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal

import httpx2
import pytest

from app.domain.provider_errors import ProviderError
from app.flows.operations.processes.metrics import Metrics
from app.flows.outbound.sending.note_answers import AnswerNotes
from app.provider.actions import AccessLevel, NewUser
from app.provider.client import ProviderClient
from app.storage.outbound.sending.sender import get_sender, pause_sender
from tests.support.outbox import Outbox


@dataclass
class Noted:
    """The client of a provider that answers `body` to everything, and what is noted of it."""

    outbox: Outbox
    client: ProviderClient
    metrics: Metrics
    notes: AnswerNotes
    status: int = 200
    body: str = "152"

    def answer(self, _: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(self.status, text=self.body)

    async def call(self, call: Callable[[ProviderClient], Awaitable[object]]) -> None:
        with contextlib.suppress(ProviderError):
            await call(self.client)
        await self.notes.close()

    def count(self, action: str, outcome: str) -> float:
        found = self.metrics.registry.get_sample_value(
            "letterbox_provider_answers_total", {"action": action, "outcome": outcome}
        )
        return found or 0.0

    async def state(self) -> str:
        return (await self.outbox.database.read(get_sender)).state


@pytest.fixture
async def noted(outbox: Outbox) -> AsyncIterator[Noted]:
    metrics = Metrics()
    notes = AnswerNotes(
        outbox.database,
        metrics,
        on_change=lambda: outbox.changes.append("notified"),
        now=outbox.now,
    )
    made = Noted(outbox, outbox.client, metrics, notes)
    async with outbox.make_client(made.answer) as client:
        client.on_answer = notes
        made.client = client
        yield made


async def read_report(client: ProviderClient) -> None:
    async with client.open_report("Outbox") as table:
        async for _ in table:
            pass


USER = NewUser("anna", "secret-12", AccessLevel.NORMAL, "A", "B", "a@example.com", Decimal(5))
CALLS: dict[str, Callable[[ProviderClient], Awaitable[object]]] = {
    "CheckCredits": lambda client: client.check_credits(),
    "CheckMessageStatus": lambda client: client.check_message_status("1"),
    "Report": read_report,
    "GetBGMessages": lambda client: client.get_background_messages("1"),
    "CancelMessage": lambda client: client.cancel_message("1"),
    "GetAllContacts": lambda client: client.get_all_contacts(),
    "EmptyGroup": lambda client: client.empty_group("a"),
    "CreateUser": lambda client: client.create_user(USER),
}


@pytest.mark.parametrize("action", CALLS)
@pytest.mark.alike
async def test_an_account_error_that_any_call_sees_stops_sending(noted: Noted, action: str) -> None:
    noted.body = "-501"
    await noted.call(CALLS[action])
    state = await noted.outbox.database.read(get_sender)
    assert (state.state, state.cause) == ("stopped", "account")
    assert "copy it again" in str(state.reason)
    assert await noted.outbox.alerts() == ["sender-stopped"]
    assert noted.outbox.changes
    assert noted.count(action, "-501") == 1


@pytest.mark.parametrize("code", [-100, -512, -513])
@pytest.mark.alike
async def test_what_may_be_about_a_child_user_stops_nothing(noted: Noted, code: int) -> None:
    noted.body = str(code)
    await noted.call(CALLS["CreateUser"])
    await noted.call(lambda client: client.update_credits("anna", Decimal(1)))
    assert await noted.state() == "running"
    await noted.call(CALLS["Report"])
    assert await noted.state() == "stopped"


async def test_a_persons_pause_stays(noted: Noted) -> None:
    outbox = noted.outbox
    await outbox.database.write(pause_sender, "Anna", "holiday", outbox.now())
    noted.body = "-501"
    await noted.call(CALLS["Report"])
    state = await outbox.database.read(get_sender)
    assert (state.state, state.reason) == ("paused", "holiday")


OUTCOMES = [
    (200, "152", "ok"),
    (200, "-300", "-300"),
    (200, "-999", "-999"),
    (200, "", "empty"),
    (200, "<html>", "html"),
    (200, "lots", "unreadable"),
    (404, "", "http-404"),
    (429, "", "http-429"),
    (503, "", "http-503"),
]


@pytest.mark.parametrize(("status", "body", "outcome"), OUTCOMES)
@pytest.mark.alike
async def test_every_answer_is_counted_by_what_it_was(
    noted: Noted, status: int, body: str, outcome: str
) -> None:
    noted.status, noted.body = status, body
    await noted.call(CALLS["CheckCredits"])
    assert noted.count("CheckCredits", outcome) == 1
    assert await noted.state() == "running"


async def test_a_report_is_counted_when_it_has_ended_well(noted: Noted) -> None:
    noted.body = '"A","B"\n"1","2"\n'
    await noted.call(read_report)
    assert (noted.count("Report", "ok"), noted.count("Report", "unreadable")) == (1, 0)
    noted.body = '"A","B"\n"1","2'
    await noted.call(read_report)
    assert (noted.count("Report", "ok"), noted.count("Report", "unreadable")) == (1, 1)


async def test_an_account_that_works_again_is_found_by_itself(noted: Noted) -> None:
    noted.body = "-501"
    await noted.call(CALLS["CheckMessageStatus"])
    outbox = noted.outbox
    number = await outbox.queue()
    assert await outbox.send() == 0
    outbox.pass_seconds(61)
    assert await outbox.send() == 1
    assert await outbox.status(number) == "sent"
    assert await outbox.alerts() == []
