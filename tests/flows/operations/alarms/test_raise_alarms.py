"""Alarms that open when the way in looks broken, say what to do, and close by themselves."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, update

from app.domain.outbound.requests import OutboundRequest
from app.flows.access.configure import remove_number
from app.flows.operations.alarms.raise_alarms import raise_alarms
from app.storage.db.database import Connection, Database
from app.storage.operations.alerts import Alert, list_alerts, raise_alert
from app.storage.operations.leases import take_lease
from app.storage.operations.processes import Process, note_process
from app.storage.outbound.outbox import Addressee
from app.storage.tables.outbound import outbound
from tests.conftest import NOW
from tests.flows.desk import BAR, SENDER, SHOP, Desk
from tests.support.outbox import add_outbound

HOUR = timedelta(hours=1)


class Way(Desk):
    """The way in, with the alarms that watch it."""

    async def look(self) -> list[Alert]:
        """Look now; returns the alerts that are open."""
        await raise_alarms(self.database, timezone="Europe/London", now=self.now)
        return await self.database.read(list_alerts, before=None, limit=9, is_open=True)

    async def receive_every(self, step: timedelta, count: int, dest: str = SHOP) -> None:
        for _ in range(count):
            self.now += step
            await self.receive("Hello", dest=dest)
            await self.handle()

    async def receive_late(self, lag: timedelta, count: int) -> None:
        await self.receive(*["Hello"] * count, received_at=self.now - lag)


@pytest.fixture
def way(database: Database) -> Way:
    return Way(database)


async def test_a_number_without_a_text_for_six_hours_is_silent(way: Way) -> None:
    await way.receive_every(timedelta(minutes=20), 3)
    way.wait(hours=5, minutes=59)
    assert await way.look() == []
    way.wait(minutes=1)
    [alert] = await way.look()
    assert (alert.kind, alert.subject) == ("number-silent", SHOP)
    assert "2026-06-01 13:00" in alert.text
    assert "2 hours or less" in alert.text
    assert "Text the number yourself" in alert.action
    way.wait(days=40)
    assert await way.look() == [alert], "it is open until it ends, and told once"
    await way.receive_every(timedelta(minutes=1), 1)
    assert await way.look() == []


async def test_a_number_that_is_often_silent_has_more_time(way: Way) -> None:
    await way.receive_every(10 * HOUR, 3)
    way.wait(hours=29)
    assert await way.look() == []
    way.wait(hours=1)
    assert len(await way.look()) == 1


async def test_gaps_of_more_than_28_days_ago_do_not_count(way: Way) -> None:
    await way.receive_every(100 * HOUR, 2)
    await way.receive_every(50 * HOUR, 15)
    way.wait(hours=149)
    assert await way.look() == []
    way.wait(hours=1)
    assert len(await way.look()) == 1


async def test_one_text_tells_nothing_of_how_often_others_come(way: Way) -> None:
    await way.receive("Hello")
    await way.handle()
    way.wait(days=3)
    assert await way.look() == []


async def test_each_number_has_its_own_alarm(way: Way) -> None:
    await way.receive_every(HOUR, 3)
    await way.receive_every(HOUR, 6, dest=BAR)
    assert [alert.subject for alert in await way.look()] == [SHOP]


async def test_only_numbers_of_ours_are_waited_for(way: Way) -> None:
    await way.add_number(BAR)
    await way.add_number(SHOP)
    await way.receive_every(HOUR, 3)
    await way.receive_every(HOUR, 3, dest="447700900199")
    way.wait(days=1)
    assert [alert.subject for alert in await way.look()] == [SHOP]
    await remove_number(way.database, SHOP, who="cli:test", now=way.now)
    assert await way.look() == []


async def test_steady_whole_hours_name_the_setting_until_they_are_over(way: Way) -> None:
    await way.receive_late(HOUR, 12)
    [alert] = await way.look()
    assert (alert.kind, alert.subject) == ("provider-timezone", "LETTERBOX_PROVIDER_TIMEZONE")
    assert "1 hour after" in alert.text
    assert "LETTERBOX_PROVIDER_TIMEZONE" in alert.action
    assert "Europe/London" in alert.action
    assert len(await way.look()) == 1
    await way.receive_late(timedelta(0), 8)
    assert len(await way.look()) == 1
    await way.receive_late(timedelta(0), 2)
    assert await way.look() == []


async def test_old_texts_in_a_batch_are_said_to_be_old(way: Way) -> None:
    for days in range(168, 156, -1):
        await way.receive("Hello", received_at=way.now - timedelta(days=days))
    [alert] = await way.look()
    assert (alert.kind, alert.subject) == ("old-texts", "forwards")
    assert "12 of the newest 12 forwards are old texts" in alert.text
    assert "157 days to 168 days" in alert.text
    assert await way.look() == [alert], "it is told once"
    await way.receive_late(timedelta(0), 20)
    assert await way.look() == []


async def test_a_zone_may_lie_a_part_of_an_hour_off(way: Way) -> None:
    await way.receive_late(timedelta(hours=5, minutes=30), 12)
    [alert] = await way.look()
    assert alert.kind == "provider-timezone"
    assert "newest 12 forwards arrived 5 hours 30 minutes after" in alert.text


async def test_a_reconciliation_that_never_ends_well_is_told_of(way: Way) -> None:
    started_at = way.now

    async def look() -> list[Alert]:
        await raise_alarms(
            way.database,
            timezone="Europe/London",
            now=way.now,
            reconciled_every=timedelta(minutes=5),
            started_at=started_at,
        )
        return await way.database.read(list_alerts, before=None, limit=9, is_open=True)

    assert await look() == []  # none has ever begun
    await way.database.write(take_lease, "reconcile", "a", seconds=60, now=way.now)
    way.wait(minutes=30)
    assert await look() == []
    process = Process("p", "web", "host", 1, way.now, way.now, 3, runs_workers=True)
    await way.database.write(note_process, process)
    way.wait(seconds=1)
    [alert] = await look()
    assert (alert.kind, alert.subject) == ("reconcile-failed", "InboundMessages")
    assert "2026-06-01 12:00 UTC: messages wait in a spool" in alert.text
    assert await look() == [alert]


async def test_a_service_that_was_down_has_time_for_its_first_reconciliation(way: Way) -> None:
    await way.database.write(take_lease, "reconcile", "a", seconds=60, now=way.now)
    way.wait(days=3)
    await raise_alarms(
        way.database,
        timezone="Europe/London",
        now=way.now,
        reconciled_every=timedelta(minutes=5),
        started_at=way.now - timedelta(minutes=29),
    )
    assert await way.database.read(list_alerts, before=None, limit=9, is_open=True) == []


async def test_times_that_nobody_can_read_say_nothing_of_the_zone(way: Way) -> None:
    late = {"received_at": NOW - HOUR, "source": SENDER}
    await way.receive(*["Hello"] * 12, **late, via="report")
    await way.receive(*["Hello"] * 12, **late, problems=("time-ambiguous",))
    assert await way.look() == []
    await way.receive(*["Hello"] * 12, **late, via="spool")
    assert len(await way.look()) == 1


async def test_what_happened_at_one_moment_is_over_after_a_while(way: Way) -> None:
    for kind in ("too-large", "late-answer", "spool-damaged"):
        await way.database.write(
            raise_alert, kind, "x", text="It happened.", action="Look.", now=way.now
        )
    way.wait(hours=25)
    assert [alert.kind for alert in await way.look()] == ["spool-damaged", "late-answer"]
    way.wait(days=7)
    assert [alert.kind for alert in await way.look()] == ["spool-damaged"]


async def test_texts_that_failed_are_one_alert_that_counts_them_and_ends(way: Way) -> None:
    def settle(conn: Connection, statuses: list[str]) -> None:
        conn.execute(delete(outbound))
        for status in statuses:
            request = OutboundRequest(SHOP, "Hi")
            text_id = add_outbound(conn, request, Addressee(SENDER, 1), way.now)
            mine = update(outbound).where(outbound.c.id == text_id)
            conn.execute(mine.values(status=status, settled_at=way.now))

    expected = [
        (["failed", "sent", "undelivered"], {"failed": 1, "undelivered": 1}),
        (["failed"] * 3, {"failed": 3}),
        (["failed"] * 2, {"failed": 2}),
        (["delivered"], {}),
    ]
    for statuses, counts in expected:
        await way.database.write(settle, statuses)
        for _ in range(2):
            alerts = await way.look()
        assert {alert.kind for alert in alerts} <= {"texts-failed"}
        assert {alert.subject: alert.count for alert in alerts} == counts
        assert all("Needs attention" in alert.action for alert in alerts)
