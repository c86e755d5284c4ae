"""Batches on the pages: a file is checked row by row, approved, followed, cancelled, saved."""

import csv
import io
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.flows.outbound.batches.send_batch import advance_batches
from tests.api.running import BASE_URL
from tests.support.messages import make_message
from tests.support.simulated import ADA, GRACE
from tests.web.visiting import Visitor, visiting_with_account

SHOP = "447700900100"
FORM = {"source": SHOP, "body": "Hello {name|there}, code {code}"}
FILE = (
    "number,name,code\n07700 900011,Ada,1\n07700900012,,2\n4.47701E+11,Cy,3\n447700900013,=1+1,\n"
)


@pytest.fixture
async def clerk(database_url: str, tmp_path: Path) -> AsyncIterator[Visitor]:
    async with visiting_with_account(database_url, tmp_path) as visitor:
        await visitor.receive(make_message(1, source=ADA, dest=SHOP))
        yield visitor


async def upload(visitor: Visitor, data: str | bytes = FILE, **changes: str) -> httpx2.Response:
    content = data.encode() if isinstance(data, str) else data
    return await visitor.client.post(
        "/batches/new",
        data=FORM | changes,
        files={"file": ("people.csv", content, "text/csv")},
        headers={"Origin": BASE_URL},
    )


async def open_draft(visitor: Visitor, data: str | bytes = FILE, **changes: str) -> str:
    """The path of its page."""
    answer = await upload(visitor, data, **changes)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


async def advance(visitor: Visitor) -> None:
    runtime = visitor.running.runtime
    while await advance_batches(runtime.database, runtime.now()):
        pass


async def list_texts(visitor: Visitor) -> list[tuple[str, str]]:
    items = (await visitor.running.read("/outbound"))["items"]
    return sorted((each["to"], each["body"]) for each in items)


async def save(visitor: Visitor, path: str) -> list[list[str]]:
    answer = await visitor.get(path)
    assert answer.status_code == 200
    return list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))


async def test_a_file_is_checked_row_by_row_before_anything_is_sent(clerk: Visitor) -> None:
    path = await open_draft(clerk)
    page = await clerk.read(path)
    assert "Hello Ada, code 1" in page
    assert "Hello there, code 2" in page
    assert "The spreadsheet has shortened this number" in page
    assert "No value for {code}" in page
    assert "about 2 credits" in page
    await advance(clerk)
    assert await list_texts(clerk) == []
    bad = await clerk.read(f"{path}?shown=bad")
    assert "Hello Ada, code 1" not in bad
    assert "No value for {code}" in bad
    refused = await clerk.post(f"{path}/send")
    assert refused.status_code == 422
    assert "2 rows cannot be sent" in refused.text


async def test_good_rows_go_and_the_others_are_left_out_by_choice(clerk: Visitor) -> None:
    path = await open_draft(clerk)
    page = await clerk.submit(f"{path}/send", {"leave_out": "on"})
    assert "Batch of 2 texts" in page
    assert "Left out" in page
    await clerk.submit(f"{path}/send", {"leave_out": "on"})
    await advance(clerk)
    assert await list_texts(clerk) == [(ADA, "Hello Ada, code 1"), (GRACE, "Hello there, code 2")]
    page = await clerk.read(path)
    assert "Cancel the 2 texts not sent yet" in page


async def test_the_rows_are_saved_with_the_reasons_and_later_with_the_results(
    clerk: Visitor,
) -> None:
    path = await open_draft(clerk)
    rows = await save(clerk, f"{path}/csv?shown=bad")
    assert rows[0][:5] == ["number", "name", "code", "row", "text"]
    assert [row[0] for row in rows[1:]] == ["4.47701E+11", "447700900013"]
    assert rows[1][6] == "cannot be sent"
    assert rows[2][1] == "'=1+1"
    assert rows[2][7] == "no value for {code}"
    await clerk.submit(f"{path}/send", {"leave_out": "on"})
    await advance(clerk)
    rows = await save(clerk, f"{path}/csv")
    assert [row[6] for row in rows[1:]] == ["queued", "queued", "cannot be sent", "cannot be sent"]
    assert [row[0] for row in (await save(clerk, f"{path}/csv?shown=left-out"))[1:]] == [
        "4.47701E+11",
        "447700900013",
    ]


async def test_all_that_waits_is_cancelled_by_one_button(clerk: Visitor) -> None:
    path = await open_draft(clerk)
    await clerk.submit(f"{path}/send", {"leave_out": "on"})
    page = await clerk.submit(f"{path}/cancel")
    assert "2 texts are not sent" in page
    await advance(clerk)
    assert await list_texts(clerk) == []
    assert "2 cancelled" in await clerk.read("/batches")


async def test_a_batch_is_one_row_of_the_outbox_and_its_texts_are_found(clerk: Visitor) -> None:
    path = await open_draft(clerk)
    await clerk.submit(f"{path}/send", {"leave_out": "on"})
    await advance(clerk)
    page = await clerk.read("/outbox")
    assert page.count("<tr>") == 2
    assert f'href="{path}"' in page
    assert "2 people" in page
    batch = path.rpartition("/")[2]
    assert (await clerk.read(f"/outbox?batch={batch}")).count("<tr>") == 3
    assert (await clerk.read(f"/outbox?batch={batch}&status=queued")).count("<tr>") == 3
    assert "code 2" in await clerk.read(f"/outbox?to={GRACE}")


async def test_the_form_pressed_twice_makes_one_draft(clerk: Visitor) -> None:
    form = await clerk.read("/batches/new")
    once = re.search(r'name="once" value="([^"]+)"', form)
    assert once is not None
    first = await open_draft(clerk, once=once[1])
    assert await open_draft(clerk, once=once[1]) == first
    assert await open_draft(clerk, once=once[1], body="Another {name}") != first


async def test_a_draft_is_edited_without_the_file_and_discarded(clerk: Visitor) -> None:
    path = await open_draft(clerk)
    number = path.rpartition("/")[2]
    form = await clerk.read(f"/batches/new?from={number}")
    assert "Hello {name|there}, code {code}</textarea>" in form
    assert "people.csv" in form
    answer = await clerk.post("/batches/new", FORM | {"from": number, "body": "Hi {code|you}"})
    page = await clerk.read(answer.headers["location"])
    assert "Hi you" in page
    page = await clerk.submit(f"{path}/discard")
    assert "nothing was sent" in page
    assert (await clerk.get(path)).status_code == 404


async def test_rows_can_be_pasted_from_a_spreadsheet(clerk: Visitor) -> None:
    rows = "Mobile\tcode\r\n+44 7700 900012\t7"
    answer = await clerk.post("/batches/new", FORM | {"csv": rows, "body": "Code {code}"})
    assert "Code 7" in await clerk.read(answer.headers["location"])


@pytest.mark.parametrize(
    ("data", "changes", "field"),
    [
        ("who,what\na,b\n", {}, "file"),
        (b"PK\x03\x04", {}, "file"),
        ("number\n" + "447700900011\n" * 100_000, {"body": "Hello"}, "file"),
        (FILE, {"body": "Hello {nobody}"}, "body"),
        (FILE, {"body": ""}, "body"),
        (FILE, {"source": ""}, "source"),
        (FILE, {"schedule_at": "2020-01-01T10:00"}, "schedule_at"),
    ],
)
async def test_each_mistake_stands_beside_its_field(
    lone_visitor: Visitor, data: Any, changes: dict[str, str], field: str
) -> None:
    answer = await upload(lone_visitor, data, **changes)
    assert answer.status_code == 422
    assert f'id="{field}-error"' in answer.text
    # A page cannot keep a chosen file, so it says that the file is to be chosen again.
    assert 'id="file-error"' in answer.text


async def test_without_a_file_or_rows_it_asks_for_them(lone_visitor: Visitor) -> None:
    answer = await lone_visitor.post("/batches/new", FORM)
    assert answer.status_code == 422
    assert "Choose a file, or paste rows" in answer.text


async def test_without_an_account_nothing_is_sent(lone_visitor: Visitor) -> None:
    path = await open_draft(lone_visitor)
    assert "No provider account" in await lone_visitor.read(path)
    answer = await lone_visitor.post(f"{path}/send", {"leave_out": "on"})
    assert answer.status_code == 422
    assert "LETTERBOX_PROVIDER_TOKEN" in answer.text
