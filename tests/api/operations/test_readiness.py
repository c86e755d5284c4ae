"""/readyz: what is told of each part, and when messages cannot be taken."""

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection
from structlog.testing import capture_logs

from app.api.operations.health import Findings, judge_disk, judge_sender, judge_workers
from app.flows.operations.processes.supervise import FAILING, Loop
from app.storage.operations.alerts import raise_alert
from app.storage.operations.processes import Process, note_process
from app.storage.outbound.sending.sender import SenderState
from tests.api.running import Running
from tests.conftest import NOW
from tests.support.kit import open_kit
from tests.support.messages import make_message

GIB = 1024**3
LONG_AGO = NOW - timedelta(minutes=5)


def make_process(*, runs_workers: bool, **changes: Any) -> Process:
    fields = {"started_at": NOW, "seen_at": NOW, "spool_depth": 0, **changes}
    return Process(id="a", kind="web", host="h", pid=1, runs_workers=runs_workers, **fields)


@pytest.mark.parametrize(
    ("total", "free", "status"),
    [
        (100 * GIB, 6 * GIB, "ok"),
        (100 * GIB, 4 * GIB, "degraded"),
        (GIB, GIB // 2, "ok"),
        (GIB, GIB // 10, "degraded"),
    ],
)
def test_a_disk_that_fills_up_is_told(total: int, free: int, status: str) -> None:
    assert judge_disk(total, free).status == status


@pytest.mark.parametrize(
    ("found", "runs_here", "status"),
    [
        (Findings([], None), True, "ok"),
        (Findings([], None), False, "degraded"),
        (Findings([make_process(runs_workers=False)], None), False, "degraded"),
        (Findings([make_process(runs_workers=True)], None), False, "ok"),
        (Findings([make_process(runs_workers=True, seen_at=LONG_AGO)], None), False, "degraded"),
        (Findings([], NOW), True, "ok"),
        (Findings([], LONG_AGO), True, "degraded"),
        (None, True, "degraded"),
    ],
)
def test_workers_are_well_where_one_runs_and_nothing_waits_long(
    found: Findings | None, runs_here: bool, status: str
) -> None:
    assert judge_workers(found, runs_here=runs_here, now=NOW).status == status


def make_sender(state: str = "running", **changes: Any) -> Findings:
    fields: dict[str, Any] = dict.fromkeys(each.name for each in dataclasses.fields(SenderState))
    fields |= {"state": state, **changes}
    due = fields.pop("oldest_due", None)
    return Findings([], None, SenderState(**fields), due)


@pytest.mark.parametrize(
    ("found", "has_account", "status", "detail"),
    [
        (make_sender(), True, "ok", ""),
        (make_sender(), False, "ok", "no PROVIDER_TOKEN"),
        (make_sender("paused", reason="holiday"), True, "degraded", "sending is paused"),
        (make_sender("stopped", reason="no credits"), True, "degraded", "sending is stopped"),
        (make_sender(oldest_due=NOW), True, "ok", ""),
        (make_sender(oldest_due=LONG_AGO), True, "degraded", "300 seconds"),
        (make_sender(oldest_due=LONG_AGO, pace_at=NOW), True, "ok", ""),
        (None, True, "degraded", "unknown"),
    ],
)
def test_the_sender_is_well_where_it_runs_and_texts_go_out(
    found: Findings | None, has_account: bool, status: str, detail: str
) -> None:
    part = judge_sender(found, has_account=has_account, now=NOW)
    assert part.status == status
    assert detail in part.detail


async def test_messages_that_wait_long_are_told(api: Running) -> None:
    await api.store(make_message(1), handled=False)
    api.clock.now += timedelta(minutes=2)
    answer = await api.client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["status"] == "degraded"
    assert answer.json()["workers"]["status"] == "degraded"


async def test_it_is_503_only_where_neither_database_nor_spool_takes_messages(
    lone_api: Running,
) -> None:
    intake = lone_api.runtime.intake
    assert intake is not None
    intake.spool_error = "the disk is full"
    answer = await lone_api.client.get("/readyz")
    assert (answer.status_code, answer.json()["spool"]["status"]) == (200, "degraded")
    assert "full" not in answer.text
    intake.direct = False
    answer = await lone_api.client.get("/readyz")
    assert (answer.status_code, answer.json()["ready"]) == (503, False)
    intake.direct, intake.spool_error = True, None
    assert (await lone_api.client.get("/livez")).status_code == 200


async def test_each_loop_is_told_and_one_that_fails_is_named(api: Running) -> None:
    loops = api.runtime.loops
    loops.known["sending"] = Loop("sending", 10, loops.seconds)
    try:
        answer = (await api.client.get("/readyz")).json()
        assert answer["loops"]["sending"] == {"status": "ok", "detail": ""}
        loops.known["sending"].fail(RuntimeError("Dear Ada"))
        answer = (await api.client.get("/readyz")).json()
        assert answer["status"] == "degraded"
        assert answer["loops"]["sending"]["status"] == "degraded"
        assert "RuntimeError" in answer["loops"]["sending"]["detail"]
        assert "Ada" not in str(answer)
    finally:
        del loops.known["sending"]


async def test_a_clock_that_is_off_is_told(database_url: str, tmp_path: Path) -> None:
    async with open_kit(database_url, tmp_path / "data") as kit:
        answer = (await kit.client.get("/readyz")).json()
        assert answer["clock"] == {"status": "ok", "detail": ""}
        keeper = kit.runtime.time_keeper
        assert keeper is not None
        keeper.clock.wall = lambda: datetime.now(UTC) + timedelta(minutes=20)
        await keeper.look()
        answer = (await kit.client.get("/readyz")).json()
        if kit.runtime.database.dialect == "postgresql":
            assert "20 minutes ahead of the database's" in answer["clock"]["detail"]
            assert answer["clock"]["status"] == answer["status"] == "degraded"


async def test_a_loop_that_fails_in_another_process_is_named(api: Running) -> None:
    def tell(conn: Connection) -> None:
        note_process(conn, make_process(runs_workers=True))
        raise_alert(conn, FAILING, "handling on there", text="?", action="?", now=NOW)

    await api.runtime.database.write(tell)
    answer = (await api.client.get("/readyz")).json()
    assert answer["workers"] == {"status": "degraded", "detail": "failing: handling on there"}


async def test_a_database_that_fails_in_an_unforeseen_way_leaves_the_answer(api: Running) -> None:
    def rename(conn: Connection) -> None:
        conn.exec_driver_sql("ALTER TABLE sender RENAME TO gone")

    await api.runtime.database.write(rename)
    with capture_logs() as logs:
        answer = await api.client.get("/readyz")
    assert (answer.status_code, answer.json()["database"]["status"]) == (200, "degraded")
    assert "readiness_unknown" in [each["event"] for each in logs]
