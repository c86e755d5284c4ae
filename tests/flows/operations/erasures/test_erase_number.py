"""POST /erasures: a number that is everywhere is nowhere afterwards, and nothing brings it back."""

import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from app.domain.ids import find_number
from app.domain.inbound.messages import make_number_key
from app.domain.rules.opt_outs import OptOutState
from app.flows.operations.erasures import clean_rows
from app.flows.operations.erasures.erase_number import begin_erasure, wait_for_erasure
from app.flows.outbound.batches.send_batch import advance_batches
from app.storage.db.columns import metadata
from app.storage.db.database import Connection
from app.storage.inbound.removal import remove_messages
from app.storage.operations.erasures.erasures import finish_erasure, list_unfinished
from app.storage.rules.opt_outs import OptOutChange, _make_row
from tests.flows.operations.answering import open_answering_kit
from tests.support.kit import Kit
from tests.support.seeded_number import ADA, OURS, list_open_columns, seed_number

NEIGHBOUR = f"{ADA}4"
GRACE = "447700900012"
# Written here once more, so that a mistake in the product's own search shows.
TRACE = re.compile(
    rb"(?:44|0|\b)[ ()0-]{0,6}7[ -]?7[ -]?0[ -]?0[ -]?9[ -]?0[ -]?0[ -]?1[ -]?2[ -]?3(?!4)"
)


@pytest.fixture
async def kit(database_url: str, tmp_path: Path) -> Any:
    async with open_answering_kit(database_url, tmp_path / "data") as opened:
        yield opened


async def _receive(kit: Kit, name: str, body: str, source: str = ADA) -> None:
    assert (await kit.forward(name, source=source, dest=OURS, msg=body)).status_code == 200
    await kit.handle()


async def _erase(kit: Kit, number: str = "+44 7700 900123") -> Any:
    answer = await kit.client.post("/api/v1/erasures", json={"number": number})
    assert answer.status_code == 201, answer.text
    # Beside many other tests it may take longer than a request waits.
    begun = find_number("era", answer.json()["id"]) or 0
    await wait_for_erasure(kit.runtime.database, begun, 90)
    erasure = await kit.get(f"/erasures/{answer.json()['id']}")
    assert (erasure["state"], erasure["obstacle"]) == ("done", None), erasure
    assert erasure["scan"]["is_clean"], erasure
    return erasure


def _dump(conn: Connection) -> bytes:
    """All that a reader of the database can see."""
    names = [table.name for table in metadata.sorted_tables]
    if conn.dialect.name == "postgresql":
        names += ["message_search", "outbound_search"]
    rows = [str(row) for name in names for row in conn.execute(text(f"SELECT * FROM {name}"))]
    return "\n".join(rows).encode()


async def _find_traces(kit: Kit) -> list[bytes]:
    """What is left, in rows, in the bytes of SQLite's files, and in DATA_DIR."""
    found = await kit.runtime.database.read(_dump)
    data_dir = kit.runtime.settings.data_dir
    files = [path for path in data_dir.rglob("*") if path.is_file()]
    if kit.runtime.database.dialect == "sqlite":
        path = kit.runtime.settings.sqlite_path
        files += [path, path.with_name(f"{path.name}-wal")]
    for path in files:
        found += b"\n" + path.read_bytes()
    return TRACE.findall(found)


async def test_a_number_that_is_in_every_column_is_nowhere_afterwards(kit: Kit) -> None:
    await _receive(kit, "mine-1", "my number is 07700 900123, hours")
    await _receive(kit, "mine-2", "and once more 447700900123")
    await _receive(kit, "hers-1", "ask Ada: +44 7700 900123 knows", GRACE)
    await _receive(kit, "near-1", "I am somebody else", NEIGHBOUR)
    seeded = list_open_columns()
    await kit.runtime.database.write(seed_number, seeded, kit.runtime.now())
    assert await _find_traces(kit)
    erasure = await _erase(kit)
    assert await _find_traces(kit) == []
    places = {each["place"]: each for each in erasure["removed"]}
    assert places["messages"] == {"place": "messages", "removed": 4, "changed": 7}
    assert {each.table.name for each in seeded} - set(places) == set()
    assert erasure["number_ends"] == "123"
    hers = (await kit.get("/messages", source=GRACE))["items"][0]
    assert hers["body"] == "ask Ada: [erased] knows"
    assert (await kit.get("/messages", q="ask Ada"))["items"][0]["id"] == hers["id"]
    assert (await kit.get("/messages", q="900123"))["items"] == []
    near = (await kit.get("/conversations", source=NEIGHBOUR))["items"]
    assert [each["source"] for each in near] == [NEIGHBOUR]


async def test_an_opt_out_holds_and_is_shown_without_the_number(kit: Kit) -> None:
    await _receive(kit, "stop", "STOP")
    await _erase(kit)
    [shown] = (await kit.get("/opt-outs"))["items"]
    assert (shown["number"], shown["reason"], shown["text"]) == (None, "keyword", "")
    order = {"to": [ADA], "source": OURS, "body": "Hello"}
    refused = await kit.client.post("/api/v1/outbound", json=order)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "opted-out")
    await _receive(kit, "hours", "hours")
    [answered] = (await kit.get("/messages"))["items"]
    assert answered["outcome"]["code"] == "opted-out"
    assert (await kit.get("/opt-outs", number=ADA))["items"][0]["number"] == ADA


@pytest.mark.parametrize("who", ["sender", "person"])
async def test_a_new_start_or_a_person_ends_the_opt_out(kit: Kit, who: str) -> None:
    await _receive(kit, "stop", "STOP")
    await _erase(kit)
    if who == "sender":
        await _receive(kit, "start", "START")
    else:
        assert (await kit.client.delete(f"/api/v1/opt-outs/{ADA}")).status_code == 204
    assert (await kit.get("/opt-outs"))["items"] == []
    order = {"to": [ADA], "source": OURS, "body": "Hello"}
    assert (await kit.client.post("/api/v1/outbound", json=order)).status_code == 202


async def test_what_comes_again_is_dropped_and_what_is_new_is_stored(kit: Kit) -> None:
    await _receive(kit, "old", "hello")
    await _erase(kit)
    await _receive(kit, "old", "hello")
    assert await kit.find() == []
    await _receive(kit, "new", "hello")
    assert await kit.find() == ["new"]


async def test_what_waits_is_cancelled_and_gone(kit: Kit) -> None:
    order = {"to": [ADA, "447700900124"], "source": OURS, "body": "Hello"}
    assert (await kit.client.post("/api/v1/outbound", json=order)).status_code == 202
    about = {"to": [GRACE], "source": OURS, "body": "Call 07700 900123"}
    assert (await kit.client.post("/api/v1/outbound", json=about)).status_code == 202
    await _erase(kit)
    left = (await kit.get("/outbound"))["items"]
    assert sorted((each["to"], each["status"], each["body"]) for each in left) == [
        (GRACE, "cancelled", "Call [erased]"),
        ("447700900124", "queued", "Hello"),
    ]


async def test_an_erasure_that_is_cut_off_goes_on(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        await _receive(kit, f"mine-{number}", f"text {number} of 447700900123")
    database = kit.runtime.database
    begun = await begin_erasure(database, ADA, who="test", now=kit.runtime.now())
    eraser, taken = kit.runtime.make_eraser(), 0

    def fail_second(*arguments: Any) -> Any:
        nonlocal taken
        taken += 1
        if taken > 1:
            raise ZeroDivisionError
        return clean(*arguments)

    clean = clean_rows._clean
    monkeypatch.setattr(clean_rows, "_clean", fail_second)
    monkeypatch.setattr(clean_rows, "STEP_ROWS", 1)
    with pytest.raises(ZeroDivisionError):
        await eraser.advance()
    assert [each for each, _ in await database.read(list_unfinished)] == [begun.id]
    monkeypatch.setattr(clean_rows, "_clean", clean)
    assert await eraser.advance() == 1
    assert await _find_traces(kit) == []
    [found] = (await kit.get("/erasures"))["items"]
    places = {each["place"]: each["removed"] for each in found["removed"]}
    assert places["messages"] == 3


async def test_a_text_that_is_being_sent_is_waited_for(kit: Kit) -> None:
    order = {"to": [ADA], "source": OURS, "body": "Hello"}
    assert (await kit.client.post("/api/v1/outbound", json=order)).status_code == 202

    def set_status(conn: Connection, status: str) -> None:
        conn.execute(text("UPDATE outbound SET status = :status"), {"status": status})

    database = kit.runtime.database
    await database.write(set_status, "sending")
    begun = await begin_erasure(database, ADA, who="test", now=kit.runtime.now())
    assert await kit.runtime.make_eraser().advance() == 0
    [found] = (await kit.get("/erasures"))["items"]
    assert found["obstacle"] == "a text to the number is being sent at this moment"
    await database.write(set_status, "uncertain")
    assert await kit.runtime.make_eraser().advance() == 1
    assert (await kit.get(f"/erasures/{found['id']}"))["state"] == "done", begun
    assert (await kit.get("/outbound"))["items"] == []


async def test_our_own_number_is_refused(kit: Kit) -> None:
    assert (await kit.client.post("/api/v1/numbers", json={"number": OURS})).status_code == 201
    answer = await kit.client.post("/api/v1/erasures", json={"number": OURS})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "number")


# PostgreSQL's files are not ours to read.
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_what_was_deleted_long_ago_is_not_in_the_file_either(kit: Kit) -> None:
    for number in range(40):
        await _receive(kit, f"mine-{number}", f"{number} " + "447700900123 " * 10)

    def remove_carelessly(conn: Connection) -> None:
        driver: Any = conn.connection.driver_connection
        driver.execute("PRAGMA secure_delete = OFF")
        remove_messages(conn, list(range(1, 41)))

    await kit.runtime.database.write(remove_carelessly)
    erasure = await _erase(kit)
    assert erasure["scan"]["was_compacted"]
    assert await _find_traces(kit) == []


@pytest.mark.parametrize("late", [False, True], ids=["waits", "is found afterwards"])
async def test_a_stop_that_was_not_handled_before_holds(kit: Kit, late: bool) -> None:
    database = kit.runtime.database
    begun = await begin_erasure(database, ADA, who="test", now=kit.runtime.now())
    assert (await kit.forward("stop", source=ADA, dest=OURS, msg="Stop!")).status_code == 200
    if late:
        await database.write(finish_erasure, begun.id, {}, kit.runtime.now())
        await kit.handle()
    else:
        assert await kit.runtime.make_eraser().advance() == 1
    assert await kit.find() == []
    [shown] = (await kit.get("/opt-outs"))["items"]
    assert (shown["number"], shown["reason"], shown["text"]) == (None, "keyword", "")
    order = {"to": [ADA], "source": OURS, "body": "Hello"}
    refused = await kit.client.post("/api/v1/outbound", json=order)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "opted-out")


async def test_nobody_is_sent_a_text_with_the_number_cut_out_of_it(kit: Kit) -> None:
    rule = {"name": "Call", "keyword": "call", "timezone": "UTC", "reply": "Call 07700 900123"}
    assert (await kit.client.post("/api/v1/rules", json=rule)).status_code == 201
    ours = {"number": OURS, "opt_out_reply": "Done. Questions? 07700 900123"}
    assert (await kit.client.post("/api/v1/numbers", json=ours)).status_code == 201
    await _erase(kit)
    await _receive(kit, "call", "call", GRACE)
    await _receive(kit, "stop", "STOP", "447700900013")
    assert (await kit.get("/outbound"))["items"] == []


async def test_rows_of_a_batch_that_name_the_number_are_not_sent(kit: Kit) -> None:
    database, now = kit.runtime.database, kit.runtime.now()

    def seed(conn: Connection) -> None:
        columns = {"columns": ["number", "whom"], "number_column": 0, "source": OURS, "total": 3}
        made = {"created_by": "test", "created_at": now, "state": "queueing", **columns}
        bodies = ("Call {whom}", "Call 07700 900123")
        batches = metadata.tables["batches"]
        conn.execute(batches.insert(), [{**made, "body": body} for body in bodies])
        people = (("447700900013", "Eve"), (GRACE, "+44 7700 900123"), (ADA, "Eve"))
        rows = [
            {
                "batch_id": batch_id, "place": place, "line": place, "cells": list(cells),
                "number": cells[0], "parts": 1, "is_opted_out": False,
            }
            for batch_id in (1, 2)
            for place, cells in enumerate(people, 1)
        ]  # fmt: skip
        conn.execute(metadata.tables["batch_rows"].insert(), rows)

    await database.write(seed)
    await _erase(kit)
    while await advance_batches(database, kit.runtime.now()):
        pass
    sent = (await kit.get("/outbound"))["items"]
    assert [(each["to"], each["body"]) for each in sent] == [("447700900013", "Call Eve")]
    shown = [await kit.get(f"/batches/bat_{number}") for number in (1, 2)]
    assert [each["state"] for each in shown] == ["done", "cancelled"]


async def test_what_was_said_while_the_number_was_erased_does_not_stop_its_texts(kit: Kit) -> None:
    await _receive(kit, "stop", "STOP")
    await _erase(kit)
    state = OptOutState(is_out=True, reason="keyword", said_at=kit.runtime.now(), message_id=0)

    def race(conn: Connection) -> None:
        table = metadata.tables["opt_outs"]
        row = _make_row(make_number_key(ADA), OptOutChange(ADA, "STOP", state))
        conn.execute(table.insert().values(row))

    await kit.runtime.database.write(race)
    await _receive(kit, "start", "START")
    assert (await kit.get("/opt-outs"))["items"] == []
