"""Reports: rows by heading, streamed, whatever the provider's columns are called."""

import os
import tracemalloc
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx2
import pytest

from app.domain.outbound.statuses import KnownStatus
from app.domain.provider_errors import CallBroken, CodeError, MissingColumns, UnreadableAnswer
from app.provider.reports import (
    InboundRow,
    MessageRow,
    read_inbound,
    read_messages,
)
from app.provider.tables import Table, open_table
from app.provider.times import NO_TIME
from tests.support.endpoints.wire_server import answer, send_raw
from tests.support.provider import LONDON, calling, make_client
from tests.support.transports import TransportPool

AT = datetime(2026, 6, 1, tzinfo=UTC)
# The headings seen in the provider's own client.
MESSAGES = (
    '"MessageID","Username","Destination","Source","Status","Schedule Date","Sent Date",'
    '"Delivery Date"\n'
)
OUTBOX = (
    '"MessageID","Username","Destination","Status","Schedule Date","Sent Date","Delivery Date"\n'
)
INBOUND = '"MessageID","From","Number","Message","Received Date","Status"\n'


async def _read_messages(body: str) -> list[MessageRow]:
    async with calling(answer(body)) as (client, _), client.open_report("Outbox") as table:
        return [row async for row in read_messages(table, LONDON)]


async def _read_inbound(body: str | bytes) -> list[InboundRow]:
    async with calling(answer(body)) as (client, _), client.open_report("Outbox") as table:
        return [row async for row in read_inbound(table, LONDON)]


async def _read_raw(body: str | bytes) -> tuple[tuple[str, ...], list[list[str]]]:
    async with calling(answer(body)) as (client, _), client.open_report("Outbox") as table:
        return table.headings, [row async for row in table]


async def test_messages_have_their_fields_and_utc_times() -> None:
    (row,) = await _read_messages(
        MESSAGES + '"3509592","anna","447700900001","API","Delivered","",'
        '"01/06/2026 10:00:00","01/06/2026 10:00:05"\n'
    )

    assert (row.message_id, row.destination, row.source) == ("3509592", "447700900001", "API")
    assert (row.status.word, row.status.is_final) == ("Delivered", True)
    assert row.scheduled == NO_TIME
    assert row.sent.at == datetime(2026, 6, 1, 9, 0, 0, tzinfo=UTC)


async def test_outbox_has_no_source() -> None:
    (row,) = await _read_messages(
        OUTBOX + '"1","anna","447700900001","Pending","25/10/2026 01:30:00"\n'
    )

    assert row.source is None
    assert (row.scheduled.at, row.scheduled.ambiguous) == (
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        True,
    )
    assert row.sent == NO_TIME


@pytest.mark.parametrize(
    "headings",
    [
        "MessageID,Destination,Source,Status",
        "message_id,destination,source,status",
        "MESSAGE ID,DESTINATION ADDRESS,SOURCE ADDRESS,STATUS",
        "Msg ID,To,From,State",
        '"ID","Number","Sender","Message Status"',
        "\ufeffMessageID,Recipient,Originator,Status",
    ],
)
async def test_columns_are_found_by_their_likely_names_without_case(headings: str) -> None:
    (row,) = await _read_messages(f"{headings}\n1,447700900001,API,Sent\n")

    assert (row.message_id, row.destination, row.source, row.status.word) == (
        "1",
        "447700900001",
        "API",
        "Sent",
    )


@pytest.mark.parametrize("parted_by", [",", ";", "\t", "|"])
@pytest.mark.parametrize("quote", ['"', ""])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
async def test_rows_are_read_by_heading_whatever_parts_the_fields(
    parted_by: str, quote: str, line_end: str
) -> None:
    rows = [
        ("Message ID ", " Destination", "Source", "STATUS"),
        ("1", "+447700900001", "API", "Command Rejected"),
        ("2", "447700900002", "API", "Sent"),
    ]
    written = [parted_by.join(f"{quote}{cell}{quote}" for cell in row) for row in rows]
    body = line_end.join(written)
    for before in ("", "\ufeff", "\r\n", f"sep={parted_by}{line_end}"):
        first, second = await _read_messages(before + body)
        assert (first.message_id, first.destination) == ("1", "+447700900001")
        assert (first.status.known, second.status.word) == (KnownStatus.COMMAND_REJECTED, "Sent")


@pytest.mark.parametrize(
    "body",
    [
        "",
        "\r\n",
        "\ufeff",
        "-523",
        "-523\nNo messages were found",
        "-523,",
        "No messages were found.",
    ],
)
async def test_a_report_with_nothing_in_it_is_empty(body: str) -> None:
    assert await _read_inbound(body) == []
    assert await _read_messages(body) == []
    assert await _read_raw(body) == ((), [])


@pytest.mark.parametrize(
    "body", ["-601", "-601,", "-601 Unknown", "<error>-601</error>", "-601<br>\n"]
)
async def test_the_code_of_a_report_is_read_whatever_stands_around_it(body: str) -> None:
    with pytest.raises(CodeError, match="-601"):
        await _read_messages(body)


async def test_commas_in_a_text_without_quotes_do_not_move_the_columns() -> None:
    body = "MessageID,From,Number,Message,Received Date,Status\n"
    body += "1,447700900001,447700900002,Yes, I do, of course,01/06/2026 10:00:00,Read\n"
    [row] = await _read_inbound(body)
    assert (row.body, row.received.text) == ("Yes, I do, of course", "01/06/2026 10:00:00")


async def test_columns_are_found_in_any_order_among_others() -> None:
    (row,) = await _read_messages("Cost,Status,Destination,MessageID\n2,Sent,447700900001,1\n")

    assert (row.message_id, row.destination, row.status.word) == ("1", "447700900001", "Sent")


async def test_column_that_cannot_be_found_is_an_error_that_names_the_headings() -> None:
    with pytest.raises(MissingColumns) as caught:
        await _read_messages("Reference,Destination,Code\n1,447700900001,Sent\n")

    assert str(caught.value) == (
        "The report has no column for message_id, status;"
        " its headings are 'Reference', 'Destination', 'Code'"
    )
    assert caught.value.headings == ("Reference", "Destination", "Code")


async def test_failed_messages_may_do_without_a_status() -> None:
    body = "MessageID,Destination,Reason\n1,447700900001,Bad number\n"
    async with (
        calling(answer(body)) as (client, _),
        client.open_report("FailedMessages", since=AT, until=AT) as table,
    ):
        needed = ("message_id", "destination")
        (row,) = [row async for row in read_messages(table, LONDON, needed=needed)]

    assert (row.message_id, row.status.word, row.status.known) == ("1", "", None)


async def test_inbound_text_keeps_commas_quotes_and_line_breaks() -> None:
    (row,) = await _read_inbound(
        INBOUND + '"9","447700900001","447700900100","He said ""yes, \r\nplease""\n",'
        '"01/06/2026 10:00:00","Read"\n'
    )

    assert row.body == 'He said "yes, \r\nplease"\n'
    assert (row.message_id, row.source, row.dest) == ("9", "447700900001", "447700900100")
    assert row.received.at == datetime(2026, 6, 1, 9, 0, tzinfo=UTC)


async def test_inbound_text_that_is_not_utf_8_is_read_as_windows_1252_row_by_row() -> None:
    rows = await _read_inbound(
        INBOUND.encode()
        + b'"1","447700900001","447700900100","caf\xc3\xa9",""\n'
        + b'"2","447700900001","447700900100","caf\xe9 \x80",""\n'
    )

    assert [row.body for row in rows] == ["café", "café €"]


async def test_short_rows_are_filled_up_and_long_ones_kept() -> None:
    headings, rows = await _read_raw('"A","B","C"\n"1"\n\n"1","2","3","4"\n')

    assert headings == ("A", "B", "C")
    assert rows == [["1", "", ""], ["1", "2", "3", "4"]]


@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
async def test_rows_end_in_either_line_break_or_with_the_report(end: str) -> None:
    body = f'"A","B"\n"1","2"{end}'.replace("\n", end or "\n")

    assert await _read_raw(body) == (("A", "B"), [["1", "2"]])


async def test_report_without_rows_has_headings_alone() -> None:
    assert await _read_raw(INBOUND) == (
        ("MessageID", "From", "Number", "Message", "Received Date", "Status"),
        [],
    )


async def test_characters_that_other_readers_cut_lines_at_stay_in_their_field() -> None:
    body = '"A"\n"x\u2028y\x0bz\x85\x1c"\n'

    assert await _read_raw(body) == (("A",), [["x\u2028y\x0bz\x85\x1c"]])


async def test_nul_that_no_database_stores_is_replaced() -> None:
    assert await _read_raw(b'"A"\n"x\0y"\n') == (("A",), [["x\ufffdy"]])


async def _gather(table: Table, rows: list[list[str]]) -> None:
    async for row in table:
        rows.append(row)  # noqa: PERF401 - a comprehension would lose the rows before an error


async def test_report_cut_within_a_field_is_an_error_after_its_whole_rows() -> None:
    rows: list[list[str]] = []
    body = '"A","B"\n"1","2"\n"3","cut he'
    async with calling(answer(body)) as (client, _), client.open_report("Outbox") as table:
        with pytest.raises(UnreadableAnswer, match="cut short"):
            await _gather(table, rows)

    assert rows == [["1", "2"]]


async def test_report_that_breaks_off_gives_its_rows_and_then_the_error() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n"
    rows: list[list[str]] = []
    reply = send_raw(head + b'"A"\n"1"\n"2"\n', close=True)
    async with calling(reply) as (client, _), client.open_report("Outbox") as table:
        with pytest.raises(CallBroken):
            await _gather(table, rows)

    assert rows == [["1"], ["2"]]


async def test_quote_that_never_closes_is_not_gathered_without_end() -> None:
    body = '"A"\n"' + "x\n" * 100_000
    with pytest.raises(UnreadableAnswer, match="no CSV: field larger than field limit"):
        await _read_raw(body)


async def test_line_without_end_is_not_gathered_without_end() -> None:
    with pytest.raises(UnreadableAnswer, match="more than 1048576 bytes"):
        await _read_raw(b'"A"\n' + b"x" * (1 << 21))


async def test_reader_may_leave_a_report_early() -> None:
    body = '"A"\n' + '"1"\n' * 100_000
    async with calling(answer(body), answer("12")) as (client, _):
        async with client.open_report("Outbox") as table:
            async for row in table:
                assert row == ["1"]
                break

        assert await client.check_credits() == 12


ROW = (
    '"3509592","447700900001","447700900100","Text, with a ""quote""\n'
    'and a second line: caf\u00e9","01/06/2026 10:00:00","Read"\n'
).encode()


async def _make_chunks(rows: int, size: int = 65_536) -> AsyncIterator[bytes]:
    """A report in chunks of one size, whatever they cut through."""
    waiting = INBOUND.encode()
    while rows:
        block = min(rows, 1000)
        rows -= block
        waiting += ROW * block
        whole = len(waiting) - len(waiting) % size
        for start in range(0, whole, size):
            yield waiting[start : start + size]
        waiting = waiting[whole:]
    yield waiting


async def _measure_peak(rows: int) -> int:
    """Bytes at most in use while so many rows are read over HTTP."""

    class Body(httpx2.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            async for chunk in _make_chunks(rows):
                yield chunk

    def reply(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, stream=Body())

    count = 0
    async with make_client(
        "http://sim/api", pool=TransportPool(httpx2.MockTransport(reply))
    ) as client:
        tracemalloc.start()
        try:
            async with client.open_report("InboundMessages", since=AT, until=AT) as table:
                async for _ in table:
                    count += 1
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            assert count == rows


@pytest.mark.soak
@pytest.mark.slow
async def test_long_report_takes_no_more_memory_than_a_short_one() -> None:
    rows = 1_000_000 if os.environ.get("LETTERBOX_SOAK") == "1" else 100_000
    short = await _measure_peak(2_000)
    long = await _measure_peak(rows)

    assert long < short * 1.5
    assert long < 2_000_000


async def test_rows_are_read_whole_from_any_chunks() -> None:
    for size in (1, 7, 64, 1000):
        async with open_table(_make_chunks(20, size)) as table:
            assert isinstance(table, Table)
            rows = [row async for row in read_inbound(table, LONDON)]

        assert len(rows) == 20
        assert {row.body for row in rows} == {'Text, with a "quote"\nand a second line: café'}
