"""Clocks that differ or are set: what goes by them goes on, and a person hears of it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.flows.operations.processes.keep_time import (
    DRIFT_SECONDS,
    LOOK_SECONDS,
    Clock,
    TimeKeeper,
    utc_now,
)
from app.storage.db.clock import read_clock
from app.storage.db.database import Connection, Database, open_database
from app.storage.operations.leases import take_lease
from app.storage.operations.stamps import clamp_stamps, has_gone_back
from app.storage.outbound.sending.expiry import end_leases
from app.storage.rules.opt_outs import find_opted_out, note_refused_numbers
from tests.flows.desk import SENDER, SHOP, Desk
from tests.support.outbox import ADA, GRACE, Outbox, claim_due, run_dry

HOUR = 3600.0
SECOND = timedelta(seconds=1)


class Wrong:
    """A wall clock that somebody sets."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.ahead = timedelta(seconds=seconds)

    def __call__(self) -> datetime:
        return utc_now() + self.ahead


def keep_time(database: Database, wall: Wrong) -> TimeKeeper:
    return TimeKeeper(database, Clock(wall), "shop-1", on_change=lambda: None)


@pytest.mark.parametrize("seconds", [0.0, 60.0, -60.0, 1200.0, -1200.0, HOUR, -HOUR])
async def test_the_shared_time_is_the_databases_whatever_this_machine_says(
    database: Database, seconds: float
) -> None:
    keeper = keep_time(database, Wrong(seconds))
    await keeper.look()
    shared = await database.read(read_clock)
    if database.dialect == "sqlite":  # one machine alone can hold the file
        shared += timedelta(seconds=seconds)
    assert abs(keeper.clock.now() - shared) < SECOND


@pytest.mark.parametrize("seconds", [60.0, -60.0, 1200.0, -1200.0])
async def test_a_text_goes_out_at_once_and_in_time_where_the_clocks_differ(
    outbox: Outbox, seconds: float
) -> None:
    if outbox.database.dialect == "sqlite":
        return  # the claim goes by the same clock
    keeper = keep_time(outbox.database, Wrong(seconds))
    await keeper.look()
    outbox.pass_seconds((keeper.clock.now() - outbox.now()).total_seconds())
    within = timedelta(seconds=900)
    await outbox.queue(origin="rule", in_reply_to=1, send_before=outbox.now() + within)
    claim = await outbox.database.write(claim_due)  # by the database's clock
    assert [text.to for text in claim.texts] == [ADA]


async def list_alerts(outbox: Outbox) -> list[tuple[str, str, str]]:
    rows = await outbox.fetch("SELECT kind, subject, text FROM alerts WHERE closed_at IS NULL")
    return [tuple(row) for row in rows]


async def test_a_clock_that_differs_from_the_databases_is_told_until_it_is_right(
    outbox: Outbox,
) -> None:
    wall = Wrong(60)
    keeper = keep_time(outbox.database, wall)
    for _ in range(3):
        await keeper.look()
    told = [("clock-skew", "shop-1", "The clock of shop-1 is 60 seconds ahead of the database's.")]
    assert await list_alerts(outbox) == ([] if outbox.database.dialect == "sqlite" else told)
    wall.ahead = timedelta(seconds=4)
    if outbox.database.dialect == "sqlite":
        keeper = keep_time(outbox.database, wall)
    await keeper.look()
    assert (await list_alerts(outbox), keeper.trouble) == ([], "")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-HOUR, "60 minutes back"), (HOUR, "60 minutes forward"), (-7, "7 seconds back"), (3, None)],
)
async def test_a_clock_that_is_set_is_told(
    outbox: Outbox, seconds: float, words: str | None
) -> None:
    wall = Wrong()
    keeper = keep_time(outbox.database, wall)
    await keeper.look()
    wall.ahead += timedelta(seconds=seconds)
    await keeper.look()
    told = await list_alerts(outbox)
    if words is None:
        assert told == []
    elif outbox.database.dialect == "sqlite":
        assert told == [("clock-step", "shop-1", f"The clock of shop-1 was set {words}.")]
    else:  # it is the database's clock that counts, and this one differs from it now
        assert [kind for kind, _, _ in told] == ["clock-skew"]


@pytest.mark.parametrize("pace", [0.0, 0.5, 2.0])
async def test_a_clock_that_stands_still_or_does_not_keep_time_is_told(
    tmp_path: Path, sqlite_url: str, pace: float
) -> None:
    database = open_database(sqlite_url, Path(sqlite_url.removeprefix("sqlite:///")))
    seconds, began = [1000.0], utc_now()

    def wall() -> datetime:
        return began + timedelta(seconds=pace * (seconds[0] - 1000))

    keeper = TimeKeeper(database, Clock(wall, lambda: seconds[0]), "shop-1", lambda: None)
    for _ in range(10):
        await keeper.look()
        seconds[0] += LOOK_SECONDS

    def find(conn: Connection) -> list[tuple[str, str]]:
        found = conn.exec_driver_sql("SELECT kind, text FROM alerts WHERE closed_at IS NULL")
        return [(row[0], row[1]) for row in found]

    [(kind, text)] = await database.read(find)
    assert kind == "clock-step"
    assert text.startswith("The clock of shop-1 is drifting: within ")
    assert ("too slow" in text) == (pace < 1)
    assert "is drifting" in keeper.trouble
    current = wall()
    pace, began = 1.0, current - timedelta(seconds=seconds[0] - 1000)
    for _ in range(3):
        seconds[0] += DRIFT_SECONDS
        await keeper.look()
    assert keeper.trouble == ""
    await database.close()


async def test_after_an_hour_back_texts_still_go_out_at_the_pace(outbox: Outbox) -> None:
    before = [await outbox.queue(each) for each in (ADA, GRACE)]
    assert await outbox.send(per_second=1) == 1
    outbox.pass_seconds(-HOUR)
    after = await outbox.queue(ADA, source="447700900002")
    assert await outbox.send(per_second=1) == 1
    assert await outbox.send(per_second=1) == 0
    assert await outbox.status(after) == "sent"
    assert await outbox.database.read(has_gone_back, outbox.now())
    await outbox.database.write(clamp_stamps, outbox.now())
    assert not await outbox.database.read(has_gone_back, outbox.now())
    outbox.pass_seconds(1)
    assert await outbox.send(per_second=1) == 1
    assert await outbox.statuses(before) == ["sent", "sent"]


async def test_after_an_hour_back_what_is_to_be_tried_again_is_so_soon(outbox: Outbox) -> None:
    later = outbox.now() + timedelta(minutes=30)
    scheduled = await outbox.queue(GRACE, schedule_at=later, schedule_by="letterbox")
    outbox.strike("code", taken=False, code=-511)
    outbox.strike("code", taken=False, code=-411)
    again, limited = await outbox.queue(), await outbox.queue("447700900020")
    await outbox.send()
    outbox.pass_seconds(-HOUR)
    await outbox.database.write(clamp_stamps, outbox.now())
    assert await outbox.send() == 1
    texts = [again, limited, scheduled]
    assert await outbox.statuses(texts) == ["sent", "held", "queued"]
    assert (await outbox.row(scheduled)).schedule_at is not None
    outbox.pass_seconds(HOUR + 1800)
    await outbox.send()
    assert await outbox.status(scheduled) == "sent"


async def test_after_an_hour_back_a_stopped_sender_is_tried_again_within_a_minute(
    outbox: Outbox,
) -> None:
    number = await outbox.queue()
    outbox.strike("code", taken=False, code=-100)
    await outbox.send()
    outbox.pass_seconds(-HOUR)
    await outbox.database.write(clamp_stamps, outbox.now())
    outbox.pass_seconds(61)
    await outbox.send()
    assert await outbox.status(number) == "sent"


async def test_after_an_hour_back_a_lease_ends_as_soon_as_any(outbox: Outbox) -> None:
    number = await outbox.queue()
    await outbox.database.write(claim_due, now=outbox.now())
    outbox.pass_seconds(-HOUR)
    await outbox.database.write(clamp_stamps, outbox.now())
    outbox.pass_seconds(121)
    assert await outbox.database.write(end_leases, outbox.now()) == 1
    assert await outbox.status(number) == "uncertain"


async def test_after_an_hour_back_statuses_are_followed(outbox: Outbox) -> None:
    number = await outbox.queue()
    await outbox.send()
    outbox.pass_seconds(-HOUR)
    await outbox.database.write(clamp_stamps, outbox.now())
    outbox.world.outgoing.texts[0].steps = ()
    assert await outbox.check() == 1
    row = await outbox.row(number)
    assert row.check_at is not None


async def test_after_20_minutes_forward_a_call_under_way_ends_well(outbox: Outbox) -> None:
    number = await outbox.queue()
    sender = outbox.make_sender()
    await sender.turn()
    later = outbox.now() + timedelta(minutes=20)
    assert await outbox.database.write(end_leases, later) == 1
    assert await outbox.status(number) == "uncertain"
    await run_dry(sender)
    assert await outbox.status(number) == "sent"
    assert len(outbox.taken()) == 1


async def test_a_lease_from_before_the_clock_was_set_back_keeps_nobody_out(
    database: Database,
) -> None:
    now = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)

    async def take(holder: str, at: datetime) -> bool:
        return await database.write(take_lease, "check", holder, seconds=30.0, now=at)

    assert await take("a", now)
    assert not await take("b", now - timedelta(seconds=2))
    assert await take("b", now - timedelta(hours=1))
    assert not await take("a", now - timedelta(hours=1))


async def test_who_says_stop_after_an_hour_back_is_heard(database: Database) -> None:
    desk = Desk(database)
    await desk.hear("STOP", source=SENDER, dest=SHOP)
    await desk.hear("START", source=SENDER, dest=SHOP)
    desk.wait(hours=-1)
    await database.write(clamp_stamps, desk.now)
    desk.wait(seconds=1)
    await desk.hear("STOP", source=SENDER, dest=SHOP)
    assert await database.read(find_opted_out, [SENDER]) == {SENDER}


async def test_a_cooldown_and_a_budget_count_from_the_right_time(database: Database) -> None:
    desk = Desk(database)
    await desk.add_rule(cooldown_seconds=60)
    assert await desk.hear("Hello", source=SENDER, dest=SHOP) == ["replied"]
    desk.wait(hours=-1)
    await database.write(clamp_stamps, desk.now)
    desk.wait(seconds=61)
    assert await desk.hear("Hello again", source=SENDER, dest=SHOP) == ["replied"]


async def test_nothing_is_touched_where_no_clock_was_set(outbox: Outbox) -> None:
    later: dict[str, Any] = {
        "schedule_at": outbox.now() + timedelta(days=3),
        "schedule_by": "letterbox",
    }
    outbox.strike("code", taken=False, code=-511)
    for each in (ADA, GRACE):
        await outbox.queue(each)
    await outbox.queue("447700900020", **later)
    await outbox.send()
    await outbox.database.write(note_refused_numbers, {GRACE: "STOP"}, outbox.now())

    async def read_all() -> list[Any]:
        tables = ("sender", "outbound", "leases", "opt_outs", "conversations")
        return [await outbox.fetch(f"SELECT * FROM {each}") for each in tables]

    before = await read_all()
    assert not await outbox.database.read(has_gone_back, outbox.now())
    await outbox.database.write(clamp_stamps, outbox.now())
    assert await read_all() == before
