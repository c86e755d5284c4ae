"""KEEP_DAYS: what is old goes from every table and index, and what counts stays."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text

from app.flows.operations.retain import remove_old
from app.storage.access.audit import list_audit
from app.storage.db.columns import UtcTime, metadata
from app.storage.db.database import Connection
from app.storage.inbound.removal import remove_messages
from tests.flows.operations.answering import open_answering_kit
from tests.support.kit import Kit

KEEP = timedelta(days=30)
OURS, ADA, GRACE = "447700900001", "447700900011", "447700900012"


async def _fill(kit: Kit, name: str) -> None:
    """A text of Ada that a rule answers, and one to Grace that is cancelled."""
    await kit.forward(f"{name}-1", source=ADA, dest=OURS, msg=f"hours {name} please")
    await kit.forward(f"{name}-2", source=ADA, dest=OURS, msg=f"more {name}")
    await kit.handle()
    talk = (await kit.get("/conversations", source=ADA))["items"][0]["id"]
    note = {"body": f"{name} note"}
    noted = await kit.client.post(f"/api/v1/conversations/{talk}/notes", json=note)
    assert noted.status_code == 201, noted.text
    order = {"to": [GRACE], "source": OURS, "body": f"{name} for Grace"}
    queued = await kit.client.post("/api/v1/outbound", json=order)
    assert queued.status_code == 202, queued.text
    for each in (await kit.get("/outbound", status="queued"))["items"]:
        answer = await kit.client.post(f"/api/v1/outbound/{each['id']}/cancel", json={})
        assert answer.status_code == 200, answer.text


def _age(conn: Connection, days: int) -> None:
    """Everything that is there happened so many days earlier."""
    step = days * 86_400
    for table in metadata.sorted_tables:
        for column in table.c:
            if not isinstance(column.type, UtcTime) or table.name in {"sender", "leases"}:
                continue
            earlier = (
                f"{column.name} - interval '{step} s'"
                if conn.dialect.name == "postgresql"
                else f"{column.name} - {step}000000"
            )
            conn.execute(text(f"UPDATE {table.name} SET {column.name} = {earlier}"))


def _count(conn: Connection) -> dict[str, int]:
    return {
        table.name: conn.execute(select(func.count()).select_from(table)).scalar_one()
        for table in metadata.sorted_tables
    }


@pytest.fixture
async def kit(database_url: str, tmp_path: Path) -> Any:
    async with open_answering_kit(database_url, tmp_path / "data") as opened:
        yield opened


async def test_what_is_old_goes_and_what_is_new_stays(kit: Kit) -> None:
    database, now = kit.runtime.database, kit.runtime.now
    await _fill(kit, "old")
    await database.write(_age, 31)
    await _fill(kit, "new")
    opt_out = {"number": "447700900013"}
    assert (await kit.client.post("/api/v1/opt-outs", json=opt_out)).status_code == 201
    removed = await remove_old(database, KEEP, now())
    assert (removed.messages, removed.outbound) == (2, 2)
    assert await kit.find() == ["new-2", "new-1"]
    assert await kit.find(q="old") == []
    assert await kit.find(q="please") == ["new-1"]
    bodies = [each["body"] for each in (await kit.get("/outbound"))["items"]]
    assert sorted(bodies) == ["9 to 5", "new for Grace"]
    assert await remove_old(database, KEEP, now()) == type(removed)(0, 0, 0)
    [talk] = (await kit.get("/conversations", source=ADA))["items"]
    assert (talk["unread"], talk["last_message"]["provider_id"]) == (2, "new-2")


async def test_nothing_is_left_but_counts_opt_outs_and_that_something_was_done(kit: Kit) -> None:
    database, now = kit.runtime.database, kit.runtime.now
    opt_out = {"number": "447700900013"}
    assert (await kit.client.post("/api/v1/opt-outs", json=opt_out)).status_code == 201
    await _fill(kit, "old")
    await database.write(_age, 31)
    await remove_old(database, KEEP, now())
    counts = {name: count for name, count in (await database.read(_count)).items() if count}
    assert counts.keys() <= {
        "api_keys",
        "audit",
        "daily_counts",
        "events",
        "index_progress",
        "leases",
        "message_blocks",
        "number_last_seen",
        "opt_outs",
        "processes",
        "refills",
        "revisions",
        "rules",
        "sender",
        "shared_secrets",
    }
    # The newest stays, so that ids go on from it.
    assert counts["events"] == 1
    assert counts["message_blocks"] == 1
    entries = await database.read(list_audit, before=None, limit=50)
    assert {each.action for each in entries} >= {"outbound.cancel", "opt-out.add"}
    assert not any(each.subject or each.detail or each.address for each in entries)
    assert (await kit.get("/stats"))["items"]


async def test_what_may_still_go_out_stays_however_old(kit: Kit) -> None:
    database, now = kit.runtime.database, kit.runtime.now
    later = (now() + timedelta(days=60)).isoformat()
    order = {"to": [GRACE], "source": OURS, "body": "See you", "schedule_at": later}
    queued = await kit.client.post("/api/v1/outbound", json=order)
    assert queued.status_code == 202, queued.text
    await kit.forward("unhandled", source=ADA, dest=OURS)
    await database.write(_age, 31)
    removed = await remove_old(database, KEEP, now())
    assert (removed.messages, removed.outbound) == (0, 0)
    assert len((await kit.get("/outbound"))["items"]) == 1
    await kit.handle()
    assert await kit.find() == ["unhandled"]


async def test_the_last_text_of_a_conversation_is_the_newest_that_is_left(kit: Kit) -> None:
    database = kit.runtime.database
    await _fill(kit, "old")
    [talk] = (await kit.get("/conversations", source=ADA))["items"]
    newest = int((await kit.get("/messages"))["items"][0]["id"].partition("_")[2])
    await database.write(remove_messages, [newest])
    [after] = (await kit.get("/conversations", source=ADA))["items"]
    assert talk["last_message"]["provider_id"] == "old-2"
    assert after["last_message"]["provider_id"] == "old-1"
    assert (talk["unread"], after["unread"]) == (2, 1)
