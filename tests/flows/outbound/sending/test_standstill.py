"""Sending stands still where no provider answers properly, and goes on by itself once one does."""

import httpx2
import pytest

from app.storage.outbound.sending.sender import get_sender, pause_sender, resume_sender
from tests.flows.outbound.sending.broken_provider import (
    TEXTS,
    Answer,
    Provider,
    count,
    fail,
    list_open,
    queue_many,
    say,
    send_for,
)
from tests.support.outbox import Outbox

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
