"""/refusals, /alerts and /stats: what an operator looks at."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection
from structlog.testing import capture_logs

from app.storage.operations.alerts import close_alert, raise_alert
from app.storage.operations.processes import list_processes
from app.storage.spool.quarantine import refuse
from tests.api.running import Running
from tests.conftest import NOW
from tests.support.messages import make_message


async def test_a_refused_forward_is_listed_without_its_content(api: Running) -> None:
    for number in range(3):
        query = f"source=447700900123&dest=44770090010{number}&msg=hello&auth=wrong-secret"
        assert (await api.client.get(f"/inbound?{query}")).status_code == 403
        await api.runtime.housekeeper.write_deferred()
    answer = await api.get("/refusals", params={"limit": 2})
    first = answer.json()["items"][0]
    assert first == {
        "id": "ref_3",
        "refused_at": "2026-06-01T12:00:00.000000Z",
        "address": "127.0.0.1",
        "dest": "447700900102",
        "reason": "wrong-auth",
        "count": 1,
    }
    rest = await api.read("/refusals", params={"cursor": answer.json()["next"]})
    assert [item["dest"] for item in rest["items"]] == ["447700900100"]
    assert "hello" not in answer.text
    assert "wrong-secret" not in answer.text


async def test_alerts_are_listed_open_closed_or_both(api: Running) -> None:
    async def raise_it(subject: str) -> None:
        await api.runtime.database.write(
            raise_alert, "spool-damaged", subject, text="Damaged.", action="Look.", now=NOW
        )

    await raise_it("one")
    await raise_it("two")
    await raise_it("two")
    later = NOW + timedelta(hours=1)
    await api.runtime.database.write(close_alert, "spool-damaged", "one", now=later)

    async def list_subjects(**params: Any) -> list[str]:
        page = await api.read("/alerts", params=params)
        return [item["subject"] for item in page["items"]]

    assert await list_subjects() == ["two", "one"]
    assert await list_subjects(open="true") == ["two"]
    assert await list_subjects(open="false") == ["one"]
    closed = (await api.read("/alerts", params={"open": "false"}))["items"][0]
    assert closed == {
        "id": "alr_1",
        "kind": "spool-damaged",
        "severity": "critical",
        "subject": "one",
        "text": "Damaged.",
        "action": "Look.",
        "runbook": "/alerts/help#spool-damaged",
        "count": 1,
        "opened_at": "2026-06-01T12:00:00.000000Z",
        "updated_at": "2026-06-01T13:00:00.000000Z",
        "closed_at": "2026-06-01T13:00:00.000000Z",
    }
    page = await api.read("/alerts", params={"limit": 1})
    other = await api.get("/alerts", params={"cursor": page["next"], "open": "true"})
    assert other.status_code == 422


async def test_counts_are_by_day_and_number(api: Running) -> None:
    yesterday = NOW - timedelta(days=1)
    await api.store(
        make_message(1),
        make_message(2, problems=("time",)),
        make_message(3, dest="447700900101"),
        make_message(4, arrived_at=yesterday),
        make_message(5, arrived_at=NOW - timedelta(days=40)),
    )

    async def count(**params: str) -> list[tuple[str, str, int, int]]:
        items = (await api.read("/stats", params=params))["items"]
        return [tuple(item.values())[:4] for item in items]

    today = [("2026-06-01", "447700900100", 2, 1), ("2026-06-01", "447700900101", 1, 0)]
    before = [("2026-05-31", "447700900100", 1, 0)]
    assert await count() == today + before
    assert await count(since="2026-06-01T00:00:00Z") == today
    assert await count(since="2026-05-31T23:30:00Z", until="2026-06-01T00:00:00Z") == before
    assert await count(until="2026-06-01T00:00:01Z") == today + before
    assert await count(number="+44 7700 900101") == today[1:]
    oldest = await count(since="2026-01-01T00:00:00+01:00", until="2026-05-01T00:00:00Z")
    assert [day for day, *_ in oldest] == ["2026-04-22"]
    assert (await count(until="9999-12-31T23:59:59Z"))[:2] == today
    whole = await api.read("/stats", params={"until": "2026-06-01T10:00:00Z"})
    assert whole["since"] == "2026-05-04T00:00:00.000000Z"
    assert whole["until"] == "2026-06-02T00:00:00.000000Z"


async def test_an_alert_of_a_kept_file_ends_when_that_is_removed(api: Running) -> None:
    runtime = api.runtime
    refused = refuse(runtime.data_dir.spool, b"a record", "for a test")
    damaged = runtime.data_dir.spool / "damaged" / "dead.1.sqlite3"
    damaged.parent.mkdir()
    damaged.write_bytes(b"what is left")
    runtime.deferred_writes.on_refused(refused)
    runtime.deferred_writes.on_damaged(damaged)

    async def look() -> list[dict[str, Any]]:
        api.clock.now += timedelta(minutes=1)
        await runtime.housekeeper.tick()
        items: list[dict[str, Any]] = (await api.read("/alerts", params={"open": "true"}))["items"]
        return items

    alerts = await look()
    assert [alert["kind"] for alert in alerts] == ["spool-damaged", "message-refused"]
    assert all("remove the file" in alert["action"] for alert in alerts)
    assert await look() == alerts
    damaged.unlink()
    assert await look() == alerts[1:]
    refused.unlink()
    assert await look() == []


async def test_what_fails_beside_it_keeps_no_process_from_showing_that_it_lives(
    api: Running,
) -> None:
    runtime = api.runtime
    runtime.deferred_writes.on_turned_away("192.0.2.7", "447700900001", "wrong-auth")

    def rename(conn: Connection) -> None:
        conn.exec_driver_sql("ALTER TABLE refusals RENAME TO gone")

    async def is_seen() -> bool:
        found = await runtime.database.read(list_processes)
        return [each.seen_at for each in found] == [api.clock.now]

    def has_failed(logs: Sequence[Mapping[str, Any]]) -> bool:
        return "turn_failed" in [each["event"] for each in logs]

    # Unconfigured, the log paints tracebacks for seconds.
    with capture_logs() as logs:
        await runtime.database.write(rename)
        api.clock.now += timedelta(minutes=1)
        async with asyncio.timeout(30):
            # The failure is logged at the end of the turn that shows it.
            while not (await is_seen() and has_failed(logs)):  # noqa: ASYNC110 no event is set
                await asyncio.sleep(0.05)
