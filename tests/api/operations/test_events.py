"""/events: what is streamed, how it resumes, and when it ends."""

import asyncio
import json
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, update

from app.domain.errors import Unavailable
from app.flows.operations import event_stream
from app.storage.operations.alerts import close_alert, raise_alert
from app.storage.operations.events import forget_old_events
from app.storage.tables.operations import events as event_table
from app.streaming import events
from tests.api.running import Running, running, running_rest
from tests.api.streams import Stream, streaming
from tests.conftest import NOW
from tests.support.messages import make_message


async def read_bodies(stream: Stream, count: int) -> list[str]:
    return [json.loads((await stream.next()).data)["body"] for _ in range(count)]


async def test_a_message_is_streamed_as_its_list_shows_it(api: Running) -> None:
    async with streaming(api) as stream:
        await stream.next()
        await api.store(make_message(1))
        event = await stream.next()
        assert event.name == "message"
        assert json.loads(event.data) == (await api.read("/messages"))["items"][0]
        assert event.id.startswith("evt_")


async def test_a_stream_opens_with_an_event_that_every_client_can_parse(api: Running) -> None:
    async with streaming(api) as stream:
        opening = await stream.next()
        assert (opening.name, json.loads(opening.data)) == ("ready", {})
        assert opening.id.startswith("evt_")


async def test_a_ping_ends_no_event(api: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """httpx-sse and r3labs/sse make an empty event of each blank line after the first id."""
    monkeypatch.setattr(events, "KEEP_ALIVE_SECONDS", 0.02)
    async with streaming(api) as stream:
        await stream.next()
        async with asyncio.timeout(30):
            while stream.raw.count(":\n") < 3:  # noqa: ASYNC110 a comment is no event
                await asyncio.sleep(0.02)
        await api.store(make_message(1))
        assert json.loads((await stream.next()).data)["body"] == "text 1"
        ready, message, *_ = stream.raw.split("\n\n")
        assert ready.lstrip(":\n").startswith("id: evt_")
        pings, _, fields = message.partition("id: ")
        assert set(pings.splitlines()) == {":"}
        assert fields


async def test_an_alert_is_streamed_when_it_opens_and_when_it_closes(api: Running) -> None:
    async with streaming(api) as stream:
        await stream.next()
        write = api.runtime.database.write
        await write(raise_alert, "low", "x", text="It is low.", action="Fill it.", now=NOW)
        opened = await stream.next()
        assert opened.name == "alert"
        assert json.loads(opened.data) == (await api.read("/alerts"))["items"][0]
        await write(close_alert, "low", "x", now=NOW)
        api.runtime.wakeups.notify("events")
        assert json.loads((await stream.next()).data)["closed_at"] is not None


async def test_a_stream_without_an_id_begins_now(api: Running) -> None:
    await api.store(make_message(1))
    async with streaming(api) as stream:
        await stream.next()
        await api.store(make_message(2))
        assert await read_bodies(stream, 1) == ["text 2"]


async def test_a_stream_resumes_without_a_gap_or_a_double_while_messages_come(
    api: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "PAGE_EVENTS", 3)
    async with streaming(api) as stream:
        first = await stream.next()
    await api.store(*(make_message(number) for number in range(1, 11)))
    expected = [f"text {number}" for number in range(1, 31)]

    async def keep_coming() -> None:
        for number in range(11, 31):
            await api.store(make_message(number))

    coming = asyncio.create_task(keep_coming())
    seen: list[str] = []
    place = first.id
    while len(seen) < len(expected):
        async with streaming(api, after=place) as stream:
            for _ in range(min(7, len(expected) - len(seen))):
                event = await stream.next()
                seen.append(json.loads(event.data)["body"])
                place = event.id
    await coming
    assert seen == expected


async def test_every_stream_gets_what_one_reader_reads(api: Running) -> None:
    async with streaming(api) as one, streaming(api) as two:
        await one.next()
        await two.next()
        await api.store(*(make_message(number) for number in range(1, 4)))
        assert await read_bodies(one, 3) == await read_bodies(two, 3)


@pytest.mark.parametrize("place", ["evt_1", "evt_zzzz", "nonsense"])
async def test_a_place_whose_events_are_gone_gets_a_reset_and_goes_on(
    api: Running, place: str
) -> None:
    await api.store(make_message(1), make_message(2), make_message(3))
    later = NOW + timedelta(days=8)
    assert await api.runtime.database.write(forget_old_events, later, limit=10) == 2
    async with streaming(api, after=place) as stream:
        reset = await stream.next()
        assert (reset.name, reset.id) == ("reset", "evt_3")
        await api.store(make_message(4))
        assert await read_bodies(stream, 1) == ["text 4"]
    async with streaming(api, after=reset.id) as stream:
        assert await read_bodies(stream, 1) == ["text 4"]


async def test_an_id_that_was_never_used_makes_nobody_read_the_lists_again(api: Running) -> None:
    """PostgreSQL's sequence goes on with a transaction that is rolled back."""
    await api.store(make_message(1), make_message(2))

    def skip(conn: Connection) -> None:
        conn.execute(delete(event_table).where(event_table.c.id == 2))
        conn.execute(update(event_table).values(created_at=NOW - timedelta(days=8)))

    await api.runtime.database.write(skip)
    await api.store(make_message(3))
    await api.runtime.database.write(forget_old_events, NOW, limit=10)
    async with streaming(api, after="evt_1") as stream:
        assert await read_bodies(stream, 1) == ["text 3"]


async def test_a_revoked_key_ends_the_stream(database_url: str, tmp_path: Path) -> None:
    async with running_rest(database_url, tmp_path, recheck_seconds=0.05) as api:
        key = await api.make_key("messages:read")
        async with streaming(api, key=key["key"]) as stream:
            await stream.next()
            await asyncio.sleep(0.2)
            assert not stream.ended.is_set()
            await api.send("DELETE", f"/keys/{key['id']}")
            await stream.wait_until_ended()


async def test_a_key_that_loses_the_scope_ends_the_stream(tmp_path: Path, sqlite_url: str) -> None:
    async with running_rest(sqlite_url, tmp_path, recheck_seconds=0.05) as api:
        key = await api.make_key("messages:read")
        async with streaming(api, key=key["key"]) as stream:
            await stream.next()
            await api.send("PATCH", f"/keys/{key['id']}", {"scopes": ["rules:write"]})
            await stream.wait_until_ended()


async def test_the_end_of_the_service_ends_every_stream_at_once(
    database_url: str, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        async with running(database_url, tmp_path) as api:
            stream = await stack.enter_async_context(streaming(api))
            await stream.next()
        await stream.wait_until_ended()


async def test_a_client_that_reads_too_slowly_is_let_go_and_misses_nothing(
    lone_api: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "MAX_WAITING", 5)
    async with streaming(lone_api) as stream:
        first = await stream.next()
        stream.flowing.clear()
        await lone_api.store(*(make_message(number) for number in range(1, 21)))
        await lone_api.store(*(make_message(number) for number in range(21, 41)))
        await asyncio.sleep(0.3)
        stream.flowing.set()
        seen = await read_bodies(stream, 20)
        await stream.wait_until_ended()
    async with streaming(lone_api, after=first.id) as stream:
        assert await read_bodies(stream, 40) == [f"text {number}" for number in range(1, 41)]
    assert seen == [f"text {number}" for number in range(1, 21)]


async def test_a_database_that_goes_away_and_comes_back_leaves_no_gap(
    api: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "POLL_SECONDS", 0.05)

    async def fail(*_: object, **__: object) -> None:
        raise Unavailable("the database cannot be reached")

    async with streaming(api) as stream:
        await stream.next()
        await api.store(make_message(1))
        assert await read_bodies(stream, 1) == ["text 1"]
        with monkeypatch.context() as away:
            away.setattr(api.runtime.database, "read", fail)
            await api.store(make_message(2))
            await asyncio.sleep(0.2)
        assert await read_bodies(stream, 1) == ["text 2"]


async def test_a_stream_needs_the_scope(lone_api: Running) -> None:
    key = await lone_api.make_key("rules:write")
    answer = await lone_api.get("/events", key=key["key"])
    assert answer.status_code == 403
    assert (await lone_api.get("/events", params={"since": "now"})).status_code == 422
