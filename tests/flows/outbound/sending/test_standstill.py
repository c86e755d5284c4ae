"""Sending stands still where no provider answers properly, and goes on by itself once one does."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from urllib.parse import parse_qs

import httpx2
import pytest

from app.domain.outbound.send_outcomes import StopCause
from app.storage.db.database import Connection
from app.storage.operations.alerts import Alert, list_alerts
from app.storage.outbound.sending.sender import get_sender, pause_sender, resume_sender, stop_sender
from tests.support.outbox import Outbox

Answer = Callable[[httpx2.Request], httpx2.Response]
TEXTS = 20


@dataclass
class Provider:
    """Answers `looks` to CheckCredits and `sends` to Send; None answers as the API does."""

    looks: Answer | None = None
    sends: Answer | None = None
    next_id: int = 5000
    counts: dict[str, int] = field(default_factory=dict)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        action = parse_qs(request.content.decode())["Action"][0]
        self.counts[action] = self.counts.get(action, 0) + 1
        special = {"CheckCredits": self.looks, "Send": self.sends}[action]
        if special is not None:
            return special(request)
        if action == "CheckCredits":
            return httpx2.Response(200, text="152.50")
        numbers = parse_qs(request.content.decode())["DestinationAddress"][0].split(",")
        self.next_id += len(numbers)
        return httpx2.Response(
            200, text=",".join(str(self.next_id - n) for n in range(len(numbers)))
        )

    def all(self, answer: Answer | None) -> None:
        self.looks = self.sends = answer


def say(status: int, text: str = "", **headers: str) -> Answer:
    return lambda _: httpx2.Response(status, text=text, headers=headers)


def fail(error: Exception) -> Answer:
    def answer(_: httpx2.Request) -> httpx2.Response:
        raise error

    return answer


async def queue_many(outbox: Outbox, count: int = TEXTS) -> None:
    for turn in range(count):
        await outbox.queue(f"4477009001{turn:02}")


async def count(outbox: Outbox) -> dict[str, int]:
    rows = await outbox.fetch("SELECT status, count(*) FROM outbound GROUP BY status")
    return {row[0]: row[1] for row in rows}


async def list_open(outbox: Outbox) -> list[Alert]:
    return await outbox.database.read(list_alerts, before=None, limit=50, is_open=True)


async def send_for(outbox: Outbox, provider: Provider, seconds: int, *, step: int = 1) -> None:
    for _ in range(0, seconds, step):
        await outbox.send_to(provider)
        outbox.pass_seconds(step)


TURNED_AWAY = [301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 406, 407, 410, 451, 511]


@pytest.mark.parametrize("status", TURNED_AWAY)
@pytest.mark.alike
async def test_a_url_that_is_not_the_apis_stops_sending_and_keeps_every_text(
    outbox: Outbox, status: int
) -> None:
    provider = Provider()
    provider.all(say(status, "<html>no", Location="https://elsewhere.example/login?token=x"))
    await queue_many(outbox)
    await outbox.send_to(provider)
    assert await count(outbox) == {"held": 1, "queued": TEXTS - 1}
    [alert] = await list_open(outbox)
    assert (alert.kind, alert.subject) == ("sender-stopped", "configuration")
    assert f"HTTP status {status}" in alert.text
    assert f"{TEXTS} texts wait" in alert.text
    assert "token=x" not in alert.text
    assert "LETTERBOX_PROVIDER_URL" in alert.action
    state = await outbox.database.read(get_sender)
    assert (state.state, f"status {status}" in str(state.reason)) == ("stopped", True)
    await send_for(outbox, provider, 600, step=20)
    assert await count(outbox) == {"held": 1, "queued": TEXTS - 1}
    assert provider.counts["Send"] == 1
    provider.all(None)
    await send_for(outbox, provider, 61, step=60)
    assert await count(outbox) == {"sent": TEXTS}
    assert await list_open(outbox) == []


NONSENSE = {
    "a web page": say(200, "<!DOCTYPE html><title>Sign in</title>"),
    "nothing": say(200),
    "something else": say(200, "It works!"),
    "JSON": say(200, '{"ok": true}'),
    "JSON with a number in it": say(200, '{"status": 200, "message": "it works"}'),
}


@pytest.mark.parametrize("name", NONSENSE)
@pytest.mark.alike
async def test_nonsense_to_every_call_leaves_one_text_uncertain_and_the_rest_waiting(
    outbox: Outbox, name: str
) -> None:
    provider = Provider()
    provider.all(NONSENSE[name])
    await queue_many(outbox)
    await send_for(outbox, provider, 1800, step=20)
    assert await count(outbox) == {"uncertain": 1, "queued": TEXTS - 1}
    assert [alert.subject for alert in await list_open(outbox)] == ["configuration"]
    provider.all(None)
    await send_for(outbox, provider, 61, step=60)
    assert await count(outbox) == {"uncertain": 1, "sent": TEXTS - 1}
    assert await list_open(outbox) == []


@pytest.mark.parametrize(
    "answer",
    [say(500), say(502, "<html>"), say(503), say(504), fail(httpx2.ReadTimeout("slow"))],
    ids=["500", "502", "503", "504", "timeout"],
)
@pytest.mark.alike
async def test_a_provider_that_is_broken_costs_one_text_and_is_told_of_after_two_minutes(
    outbox: Outbox, answer: Answer
) -> None:
    provider = Provider()
    provider.all(answer)
    await queue_many(outbox)
    await send_for(outbox, provider, 100, step=10)
    assert await list_open(outbox) == []
    await send_for(outbox, provider, 120, step=10)
    [alert] = await list_open(outbox)
    assert (alert.kind, alert.subject) == ("sender-stopped", "provider")
    assert await count(outbox) == {"uncertain": 1, "queued": TEXTS - 1}
    provider.all(None)
    await send_for(outbox, provider, 61, step=60)
    assert await count(outbox) == {"uncertain": 1, "sent": TEXTS - 1}
    assert await list_open(outbox) == []


async def test_where_the_credits_are_answered_but_no_text_is_few_are_risked(outbox: Outbox) -> None:
    provider = Provider(sends=say(500, "<html>Internal Server Error"))
    await queue_many(outbox, 60)
    await send_for(outbox, provider, 3600, step=30)
    assert (await count(outbox))["uncertain"] <= 15
    [alert] = await list_open(outbox)
    assert "HTTP status 500" in alert.text
    provider.all(None)
    await send_for(outbox, provider, 1200, step=30)
    assert set(await count(outbox)) == {"uncertain", "sent"}
    assert await list_open(outbox) == []


async def test_the_alert_counts_one_text_that_waits_as_one(outbox: Outbox) -> None:
    provider = Provider()
    provider.all(say(404))
    await queue_many(outbox, 1)
    await outbox.send_to(provider)
    [alert] = await list_open(outbox)
    assert "and 1 text waits: " in alert.text


UNREACHABLE = {
    "dns": httpx2.ConnectError("[Errno -2] Name or service not known"),
    "refused": httpx2.ConnectError("All connection attempts failed"),
    "tls": httpx2.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED]"),
    "proxy": httpx2.ProxyError("407 Proxy Authentication Required"),
}


@pytest.mark.parametrize("name", UNREACHABLE)
@pytest.mark.alike
async def test_a_provider_out_of_reach_is_told_of_after_two_minutes_with_what_waits(
    outbox: Outbox, name: str
) -> None:
    provider = Provider()
    provider.all(fail(UNREACHABLE[name]))
    await queue_many(outbox)
    await send_for(outbox, provider, 110, step=10)
    assert await list_open(outbox) == []
    assert (await outbox.database.read(get_sender)).state == "stopped"
    await send_for(outbox, provider, 71, step=10)
    [alert] = await list_open(outbox)
    assert str(UNREACHABLE[name]) in alert.text
    assert f"{TEXTS} texts wait" in alert.text
    assert await count(outbox) == {"queued": TEXTS}
    provider.all(None)
    await send_for(outbox, provider, 61, step=60)
    assert await count(outbox) == {"sent": TEXTS}
    assert await list_open(outbox) == []


async def test_without_a_text_a_look_at_the_credits_finds_what_does_not_answer(
    outbox: Outbox,
) -> None:
    provider = Provider()
    for answer in (say(404), say(200, "<html>"), say(200, "-501"), fail(UNREACHABLE["dns"])):
        provider.all(answer)
        await send_with_look(outbox, provider)
        assert (await outbox.database.read(get_sender)).state == "stopped"
        await send_for(outbox, provider, 180, step=10)
        assert [alert.kind for alert in await list_open(outbox)] == ["sender-stopped"]
        provider.all(None)
        await send_for(outbox, provider, 130, step=10)
        assert (await outbox.database.read(get_sender)).state == "running"
        assert await list_open(outbox) == []


async def send_with_look(outbox: Outbox, provider: Provider) -> None:
    async with outbox.make_client(provider) as client:
        await outbox.make_watcher(client).look()


@pytest.mark.parametrize("balance", ["152,50 EUR", "152 units left", "-502", "-150"])
@pytest.mark.alike
async def test_a_balance_that_nobody_can_read_keeps_no_text_waiting(
    outbox: Outbox, balance: str
) -> None:
    provider = Provider(looks=say(200, balance), sends=say(500))
    await queue_many(outbox)
    await outbox.send_to(provider)
    provider.sends = None
    await send_for(outbox, provider, 10)
    assert await count(outbox) == {"uncertain": 2, "sent": TEXTS - 2}


@pytest.mark.parametrize(
    "answer",
    [say(500), fail(httpx2.ReadTimeout("slow")), say(200, "-511"), say(200), say(200, "lots")],
)
@pytest.mark.alike
async def test_a_look_alone_that_fails_stops_nothing(outbox: Outbox, answer: Answer) -> None:
    await send_with_look(outbox, Provider(looks=answer))
    assert (await outbox.database.read(get_sender)).state == "running"


@pytest.mark.slow
async def test_a_text_that_is_turned_away_for_what_it_says_keeps_no_other_waiting(
    outbox: Outbox,
) -> None:
    provider = Provider()

    def filter_words(request: httpx2.Request) -> httpx2.Response:
        if b"forbidden" in request.content:
            return httpx2.Response(403, text="<html>blocked")
        provider.next_id += 1
        return httpx2.Response(200, text=str(provider.next_id))

    provider.sends = filter_words
    bad = await outbox.queue(body="forbidden")
    await queue_many(outbox)
    await send_for(outbox, provider, 10)
    assert await count(outbox) == {"held": 1, "sent": TEXTS}
    assert (await outbox.row(bad)).held_reason == "configuration"
    await send_for(outbox, provider, 14_400, step=300)
    assert (await outbox.row(bad)).status in {"held", "expired"}
    assert provider.counts["Send"] < TEXTS + 90


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "30"}, 30),
        (
            {
                "Retry-After": "Mon, 01 Jun 2026 12:01:00 GMT",
                "Date": "Mon, 01 Jun 2026 12:00:15 GMT",
            },
            45,
        ),
        ({"Retry-After": "soon"}, 4),
        ({}, 4),
    ],
)
@pytest.mark.alike
async def test_a_provider_that_wants_fewer_calls_gets_none_for_as_long_as_it_asks(
    outbox: Outbox, headers: dict[str, str], seconds: int
) -> None:
    provider = Provider(sends=say(429, **headers))
    await queue_many(outbox)
    await outbox.send_to(provider)
    provider.all(None)
    await send_for(outbox, provider, seconds - 1)
    assert await count(outbox) == {"queued": TEXTS}
    assert provider.counts == {"Send": 1}
    outbox.pass_seconds(1)
    await outbox.send_to(provider)
    assert await count(outbox) == {"sent": TEXTS}
    assert await list_open(outbox) == []


async def test_a_call_that_ends_later_neither_shortens_nor_repeats_a_rest(outbox: Outbox) -> None:
    now = outbox.now()

    def stop(conn: Connection) -> None:
        for seconds in (60, 5):
            cause = StopCause.TOO_MANY_CALLS
            stop_sender(conn, "fewer calls", now, cause, asked_seconds=seconds)

    await outbox.database.write(stop)
    state = await outbox.database.read(get_sender)
    assert (state.probe_at, state.failures) == (now + timedelta(seconds=60), 1)


async def test_of_calls_that_end_later_only_an_account_error_replaces_the_cause(
    outbox: Outbox,
) -> None:
    now = outbox.now()

    async def stop(cause: StopCause, seconds: float | None = None) -> tuple[object, object]:
        how = partial(stop_sender, asked_seconds=seconds)
        await outbox.database.write(how, "no", now, cause)
        state = await outbox.database.read(get_sender)
        return state.cause, state.probe_at

    busy = (StopCause.TOO_MANY_CALLS, now + timedelta(seconds=600))
    assert await stop(StopCause.TOO_MANY_CALLS, 600) == busy
    assert await stop(StopCause.UNREACHABLE) == busy
    account = (StopCause.ACCOUNT, now + timedelta(seconds=60))
    assert await stop(StopCause.ACCOUNT) == account
    assert await stop(StopCause.TOO_MANY_CALLS, 600) == account


async def test_a_provider_that_goes_on_wanting_fewer_calls_is_told_of(outbox: Outbox) -> None:
    provider = Provider(sends=say(429))
    await queue_many(outbox)
    await send_for(outbox, provider, 300, step=2)
    [alert] = await list_open(outbox)
    assert "fewer calls" in alert.text
    assert "LETTERBOX_SEND_PER_SECOND" in alert.action
    assert await count(outbox) == {"queued": TEXTS}
    assert provider.counts["Send"] < 10


@dataclass
class Hanging:
    """Lets the Sends in `held` hang until they are let go, and then breaks them."""

    count: int
    provider: Provider = field(default_factory=Provider)
    held: list[asyncio.Event] = field(default_factory=list)

    async def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if b"Action=Send" in request.content and len(self.held) < self.count:
            self.held.append(asyncio.Event())
            await self.held[-1].wait()
            raise httpx2.ReadTimeout("slow")
        return self.provider(request)


async def test_calls_that_still_hang_keep_no_try_waiting(outbox: Outbox) -> None:
    await queue_many(outbox, 1)
    transport = Hanging(count=0)
    async with outbox.make_client(transport) as client:
        sender = outbox.make_sender(concurrency=3)
        sender.client = client
        await sender.run_dry()
        transport.count = 3
        await queue_many(outbox, TEXTS)
        while len(transport.held) < 3:
            await sender.turn()
            await asyncio.sleep(0.01)
        transport.held[0].set()
        look = outbox.make_watcher(client).probe
        for _ in range(50):
            if (await sender.turn()).asks_credits:
                await look()
            await asyncio.sleep(0.01)
        found = await count(outbox)
        # Two hang still, and all that do not wait for them have gone.
        assert (found.get("uncertain"), found.get("sending"), found["sent"]) == (1, 2, TEXTS - 2)
        for each in transport.held[1:]:
            each.set()
        await sender.run_dry(look)
    assert await count(outbox) == {"uncertain": 3, "sent": TEXTS - 2}


async def test_a_try_that_was_kept_back_is_soon_followed_by_another(outbox: Outbox) -> None:
    provider = Provider(looks=None, sends=say(503))
    await queue_many(outbox, 3)
    async with outbox.make_client(provider) as client:
        sender = outbox.make_sender()
        sender.client = client
        await sender.run_dry()
        assert await outbox.make_watcher(client).probe()
        times = iter([outbox.seconds[0]])
        sender.seconds = lambda: next(times, outbox.seconds[0] + 40)  # its machine slept
        [text] = (await sender.turn()).texts
        assert text.is_probe
        await sender.drain()
    assert await count(outbox) == {"uncertain": 1, "queued": 2}
    provider.sends = None
    await outbox.send_to(provider)
    outbox.pass_seconds(1)
    await outbox.send_to(provider)
    assert await count(outbox) == {"uncertain": 1, "sent": 2}


async def test_a_persons_pause_outlives_a_provider_that_comes_back(outbox: Outbox) -> None:
    provider = Provider()
    provider.all(say(404))
    await queue_many(outbox)
    await outbox.send_to(provider)
    await outbox.database.write(pause_sender, "Anna", "holiday", outbox.now())
    provider.all(None)
    await send_for(outbox, provider, 300, step=30)
    assert await count(outbox) == {"held": 1, "queued": TEXTS - 1}
    assert (await outbox.database.read(get_sender)).state == "paused"
    await outbox.database.write(resume_sender, "Anna", outbox.now())
    await outbox.send_to(provider)
    assert await count(outbox) == {"sent": TEXTS}
