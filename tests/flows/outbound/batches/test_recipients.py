"""The rows of a batch: files as spreadsheets save them, and what is wrong with a row."""

import pytest

from app.domain.errors import InvalidInput
from app.domain.outbound.batch_rows import MOST_ROWS
from tests.flows.outbound.batches.staging import (
    advance,
    approve,
    find_faults,
    name_rows,
    stage,
    stage_file,
)
from tests.support.outbox import ADA, GRACE, Outbox


async def test_bad_rows_are_named_and_left_out_by_choice(outbox: Outbox) -> None:
    rows = [
        {"number": "07700 900011", "name": "Ada"},
        {"number": "nobody", "name": "Bob"},
        {"number": "4.47701E+11", "name": "Cy"},
        {"number": "", "name": "Dee"},
        {"number": "+44 7700 900011", "name": "Ada again"},
        {"number": GRACE, "name": " "},
        {"number": "447700900013", "name": "x" * 460},
    ]
    batch_id = await stage(outbox, rows, body="Dear {name}, welcome")
    faults = dict(await find_faults(outbox, batch_id))
    assert faults[2] == "not a full phone number"
    assert "shortened" in faults[3]
    assert faults[4] == "there is no number"
    assert faults[5] == "the same number is in row 1"
    assert faults[6] == "no value for {name}"
    assert "473 characters" not in faults[7]
    assert "at most 459" in faults[7]
    with pytest.raises(InvalidInput, match="6 rows cannot be sent"):
        await approve(outbox, batch_id)
    await approve(outbox, batch_id, leave_out=True)
    await advance(outbox)
    await outbox.send()
    assert outbox.taken() == [(ADA, "Dear Ada, welcome")]


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        ("Number,Name\r\n07700 900011,Zoë\r\n", "utf-8-sig"),
        ("Phone number;Name\n07700 900011;Zoë\n", "cp1252"),
        ("name\tmobile\nZoë\t+447700900011\n", "utf-16"),
        ("name\tmobile\nZoë\t+447700900011\n", "utf-16-be"),
        ('\n\nname,tel\n\n,\nZoë,="447700900011"\n', "utf-8"),
        ('sep=;\nname;number\n"Zoë";447700900011\n', "utf-8"),
        ("name,number\rZoë,447700900011\r", "mac-roman"),
        ("number,name\n447700900011.00,Zoë", "utf-8"),
    ],
)
async def test_files_are_read_as_spreadsheets_save_them(
    outbox: Outbox, data: str, encoding: str
) -> None:
    batch_id = await stage_file(outbox, data.encode(encoding))
    assert await find_faults(outbox, batch_id) == []
    await approve(outbox, batch_id)
    await advance(outbox)
    await outbox.send()
    [(number, body)] = outbox.taken()
    assert number == ADA
    # No file says that it is in the alphabet of old Macs.
    assert body == "Hello Zoë" or encoding == "mac-roman"


async def test_rows_are_counted_as_the_spreadsheet_counts_them(outbox: Outbox) -> None:
    data = b'number,name\n\n447700900011,"two\nlines"\n,,\nnobody,Bob\n'
    batch_id = await stage_file(outbox, data)
    assert await find_faults(outbox, batch_id) == [(5, "not a full phone number")]


@pytest.mark.parametrize("first", ["2015550123", "+44 7700 900013", "07700900011"])
async def test_of_two_numbers_in_a_file_without_headings_none_is_guessed(
    outbox: Outbox, first: str
) -> None:
    with pytest.raises(InvalidInput, match="several phone numbers"):
        await stage_file(outbox, f"{first},07700900011\n".encode())


async def test_a_file_without_headings_begins_with_a_number(outbox: Outbox) -> None:
    batch_id = await stage_file(outbox, b"Ada,07700900011\nGrace,07700900012\n", body="Hi {1}")
    await approve(outbox, batch_id)
    await advance(outbox)
    await outbox.send()
    assert sorted(outbox.taken()) == [(ADA, "Hi Ada"), (GRACE, "Hi Grace")]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "the file is empty"),
        (b"number,name\n", "no rows"),
        (b"who,what\nAda,b\n", "no column is called"),
        (b'number,name\n447700900011,"Ada\n', "row 2 cannot be read"),
        (b"PK\x03\x04 and so on", "spreadsheet's own file"),
        (b"number\n" + b"447700900011\n" * (MOST_ROWS + 1), "at most 10,000 rows"),
        (b"number," + b"x," * 120 + b"\n", "more than 100 columns"),
    ],
)
async def test_files_that_make_no_batch_are_refused_in_words(
    outbox: Outbox, data: bytes, words: str
) -> None:
    with pytest.raises(InvalidInput, match=words):
        await stage_file(outbox, data, body="Hello")
    assert await outbox.fetch("SELECT * FROM batches") == []


@pytest.mark.parametrize("body", ["Hello {nmae}", "Hello {name", " ", "x" * 460])
async def test_a_text_that_no_row_can_fill_is_refused(outbox: Outbox, body: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await stage(outbox, name_rows([ADA]), body=body)
    assert refused.value.field == "body"
