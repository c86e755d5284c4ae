"""A provider that wants fewer calls, and calls and tries that hang."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

import httpx2
import pytest

from app.domain.outbound.send_outcomes import StopCause
from app.storage.db.database import Connection
from app.storage.outbound.sending.sender import get_sender, stop_sender
from tests.flows.outbound.sending.broken_provider import (
    TEXTS,
    Provider,
    count,
    list_open,
    queue_many,
    say,
    send_for,
)
from tests.support.outbox import Outbox, run_dry


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
        await run_dry(sender)
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
        await run_dry(sender, look)
    assert await count(outbox) == {"uncertain": 3, "sent": TEXTS - 2}


async def test_a_try_that_was_kept_back_is_soon_followed_by_another(outbox: Outbox) -> None:
    provider = Provider(looks=None, sends=say(503))
    await queue_many(outbox, 3)
    async with outbox.make_client(provider) as client:
        sender = outbox.make_sender()
        sender.client = client
        await run_dry(sender)
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
