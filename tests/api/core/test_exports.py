"""GET /messages/export: CSV and lines of JSON."""

import asyncio
import csv
import io
import json
from collections.abc import AsyncGenerator

import pytest

from app.api.core.schemas import show_message
from app.domain.errors import Unavailable
from app.domain.inbound.queries import MessageFilter
from app.flows.operations import export
from app.flows.operations.export import MESSAGE_COLUMNS, read_pages, write_jsonl, write_shown
from app.streaming.answers import make_in_turn
from tests.api.running import Running
from tests.support.messages import make_message

CSV = {"format": "csv"}
NDJSON = {"format": "ndjson"}


async def test_an_export_holds_every_row_over_many_pages(
    api: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "PAGE_ROWS", 7)
    await api.store(*(make_message(number) for number in range(1, 51)))
    newest_first = [str(number) for number in range(50, 0, -1)]
    lines = (await api.get("/messages/export", params=NDJSON)).text.splitlines()
    assert [json.loads(line)["provider_id"] for line in lines] == newest_first
    rows = list(csv.DictReader(io.StringIO((await api.get("/messages/export", params=CSV)).text)))
    assert [row["provider_id"] for row in rows] == newest_first
    feed = await api.get("/messages/export", params=NDJSON | {"order": "asc"})
    ids = [json.loads(line)["provider_id"] for line in feed.text.splitlines()]
    assert ids == newest_first[::-1]


async def test_an_export_is_a_chunk_a_page(api: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "PAGE_ROWS", 7)
    await api.store(*(make_message(number) for number in range(1, 17)))
    pages = read_pages(api.runtime.database, MessageFilter())
    lines = [chunk.count(b"\n") async for chunk in write_jsonl(pages, show_message)]
    assert lines == [7, 7, 2]
    pages = read_pages(api.runtime.database, MessageFilter())
    lines = [
        chunk.count(b"\r\n") async for chunk in write_shown(pages, show_message, MESSAGE_COLUMNS)
    ]
    assert lines == [1 + 7, 7, 2]


async def test_a_line_of_json_is_the_object_of_the_list(api: Running) -> None:
    await api.store(make_message(1, body="two\nlines", merge_fields={"name": "Anna", "2": "é"}))
    answer = await api.get("/messages/export", params=NDJSON)
    assert answer.headers["content-type"] == "application/x-ndjson; charset=utf-8"
    assert json.loads(answer.text) == (await api.read("/messages"))["items"][0]


async def test_a_csv_has_a_heading_and_cells_that_are_no_formula(api: Running) -> None:
    await api.store(
        make_message(
            1,
            source="=cmd|' /C calc'!A0",
            body='+1, "two"\nthree',
            provider_id="@SUM(1)",
            received_raw="\t=1",
            merge_fields={"name": "-2", "1": "\r=3"},
            extra={"=4": "=5"},
            problems=("time", "no-dest"),
        )
    )
    answer = await api.get("/messages/export", params=CSV)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == (
        'attachment; filename="messages-20260601T120000Z.csv"'
    )
    [row] = csv.DictReader(io.StringIO(answer.text, newline=""))
    assert row == {
        "id": "msg_1",
        "provider_id": "'@SUM(1)",
        "source": "'=cmd|' /C calc'!A0",
        "dest": "447700900100",
        "body": '\'+1, "two"\nthree',
        "received_at": "2026-06-01T12:00:00.000000Z",
        "received_raw": "'\t'=1",
        "arrived_at": "2026-06-01T12:00:00.000000Z",
        "stored_at": "2026-06-01T12:00:00.000000Z",
        "via": "forward",
        "mm.name": "'-2",
        "mm.email": "",
        "mm.1": "'\r'=3",
        "mm.2": "",
        "mm.3": "",
        "mm.4": "",
        "mm.5": "",
        "extra": '{"=4": "=5"}',
        "problems": "time no-dest",
        "read_at": "",
        "handled_at": "2026-06-01T12:00:00.000000Z",
        "conversation_id": "cnv_1",
    }


async def test_an_export_takes_the_filters_and_may_be_empty(api: Running) -> None:
    await api.store(make_message(1, body="yes"), make_message(2, body="no"))
    found = await api.get("/messages/export", params=NDJSON | {"q": "yes"})
    assert [json.loads(line)["body"] for line in found.text.splitlines()] == ["yes"]
    assert (await api.get("/messages/export", params=NDJSON | {"q": "maybe"})).text == ""
    heading = (await api.get("/messages/export", params=CSV | {"q": "maybe"})).text
    assert heading.startswith("id,provider_id,source,dest,body,")
    assert heading.count("\n") == 1


async def test_an_export_takes_neither_limit_nor_cursor(lone_api: Running) -> None:
    cursor = (await lone_api.read("/messages", params={"order": "asc"}))["next"]
    params = CSV | {"limit": 5, "cursor": cursor, "order": "asc"}
    answer = await lone_api.get("/messages/export", params=params)
    assert answer.status_code == 422
    assert [each["field"] for each in answer.json()["errors"]] == ["limit", "cursor"]


async def test_a_list_is_json_and_an_export_csv_whatever_is_accepted(lone_api: Running) -> None:
    for accept in ("", "*/*", "text/csv", "application/x-ndjson", "application/json"):
        listed = await lone_api.get("/messages", headers={"Accept": accept})
        assert listed.json() == {"items": [], "next": None}
        exported = await lone_api.get("/messages/export", headers={"Accept": accept})
        assert exported.headers["content-type"] == "text/csv; charset=utf-8"
    refused = await lone_api.get("/messages/export", params={"format": "xml"})
    assert [each["field"] for each in refused.json()["errors"]] == ["format"]


async def test_a_database_that_is_away_is_told_before_the_export_begins(
    lone_api: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise Unavailable("the database cannot be reached")

    monkeypatch.setattr(lone_api.runtime.database, "read", fail)
    for headers in (CSV, NDJSON):
        assert (await lone_api.get("/messages/export", params=headers)).status_code == 503


async def test_exports_make_their_pages_in_turn(api: Running) -> None:
    """Two pages at once would keep a forward waiting for both."""
    making = most = 0

    async def make(name: bytes) -> AsyncGenerator[bytes]:
        nonlocal making, most
        for _ in range(3):
            making += 1
            most = max(most, making)
            await asyncio.sleep(0.001)
            making -= 1
            yield name

    async def read(name: bytes) -> bytes:
        chunks = make_in_turn(make(name), api.runtime.exporting)
        return b"".join([chunk async for chunk in chunks])

    found = await asyncio.gather(*(read(name) for name in (b"a", b"b", b"c")))
    assert list(found) == [b"aaa", b"bbb", b"ccc"]
    assert most == 1
