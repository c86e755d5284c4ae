"""Reports: headings seen, windows in London time, who sees what, rows made while sent."""

import csv
import io
import itertools
from datetime import UTC, datetime, timedelta

import pytest

from app.simulator.actions.calls import Call
from app.simulator.actions.reports import make_report
from tests.simulator.play import ADA, GRACE, VMN, Played, each_cell


def receive(played: Played, body: str, source: str = ADA) -> None:
    played.world.take_in(played.world.incoming.numbers[VMN], source, body)


def test_messages_report_has_the_headings_seen(played: Played) -> None:
    played.send()
    played.send(GRACE, body="x" * 161)
    played.pass_seconds(9)
    assert played.report() == (
        '"MessageID","Username","Destination","Source","Status","Schedule Date","Sent Date",'
        '"Delivery Date"\n'
        f'"3509592","demo","{ADA}","{VMN}","Delivered","02/03/2026 12:00:00",'
        '"02/03/2026 12:00:02","02/03/2026 12:00:08"\n'
        f'"3509593","demo","{GRACE}","{VMN}","Delivered","02/03/2026 12:00:00",'
        '"02/03/2026 12:00:02","02/03/2026 12:00:08"\n'
        f'"3509594","demo","{GRACE}","{VMN}","Delivered","02/03/2026 12:00:00",'
        '"02/03/2026 12:00:02","02/03/2026 12:00:08"\n'
    )


def test_outbox_lists_what_is_waiting_and_needs_no_dates(played: Played) -> None:
    played.send()
    played.pass_seconds(2)
    played.send(ScheduleDate="20260303080000")
    assert played.ask("Report", ReportType="OUTBOX") == (
        '"MessageID","Username","Destination","Status","Schedule Date","Sent Date",'
        '"Delivery Date"\n'
        f'"3509593","demo","{ADA}","Pending","03/03/2026 08:00:00","",""\n'
    )


def test_usage_counts_by_status(played: Played) -> None:
    played.send(f"{ADA},{GRACE},447700900805")
    played.pass_seconds(9)
    assert played.report("Usage") == (
        '"Status","Messages"\n"Delivered","2"\n"Command_Rejected","1"\n'
    )


def test_inbound_report_keeps_commas_quotes_and_line_breaks(played: Played) -> None:
    receive(played, 'One, "two"\nthree £')
    report = played.report("InboundMessages")
    assert report.startswith('"MessageID","From","Number","Message","Received Date","Status"\n')
    assert list(csv.reader(io.StringIO(report)))[1] == [
        "8200001",
        ADA,
        VMN,
        'One, "two"\nthree £',
        "02/03/2026 12:00:00",
        "Unread",
    ]


def test_failed_report_lists_only_what_failed(played: Played) -> None:
    played.send(f"{ADA},447700900803")
    played.pass_seconds(9)
    assert [row[2] for row in each_cell(played.report("FailedMessages"))] == [
        "Destination",
        "447700900803",
    ]


@pytest.mark.parametrize(
    ("kind", "first"),
    [
        ("MessagesWithBodies", "MessageID"),
        ("ArchivedMessages", "MessageID"),
        ("BackgroundSends", "BGSendID"),
        ("KeywordMessageList", "MessageID"),
    ],
)
def test_report_types_that_the_page_leaves_out_exist(played: Played, kind: str, first: str) -> None:
    assert next(each_cell(played.report(kind)))[0] == first


def test_bodies_keywords_and_background_sends_are_reported(played: Played) -> None:
    played.send("List", body="Sale", ListName="people")
    receive(played, "Win a prize")
    assert list(each_cell(played.report("MessagesWithBodies")))[1][-1] == "Sale"
    assert list(each_cell(played.report("BackgroundSends")))[1] == [
        "61001",
        "people",
        "02/03/2026 12:00:00",
        "02/03/2026 12:00:00",
        "2",
    ]
    assert list(each_cell(played.report("KeywordMessageList")))[1][1] == "Win"


def test_window_is_inclusive_and_in_london_time() -> None:
    played = Played(start=datetime(2026, 7, 1, 11, 0, 0, tzinfo=UTC))
    played.send()
    for span, rows in (
        (("20260701120000", "20260701120000"), 1),
        (("20260701120001", "20260701130000"), 0),
        (("20260701110000", "20260701115959"), 0),
    ):
        report = played.report(From=span[0], To=span[1])
        assert len(report.splitlines()) == 1 + rows


def test_window_over_the_repeated_hour_of_autumn_holds_both_of_them() -> None:
    played = Played(start=datetime(2026, 10, 25, 0, 30, tzinfo=UTC))
    played.send()
    played.pass_seconds(3600)
    played.send()
    report = played.report(From="20261025010000", To="20261025015959")
    assert [row[5] for row in each_cell(report)][1:] == ["25/10/2026 01:30:00"] * 2


@pytest.mark.parametrize(
    ("since", "until", "code"),
    [
        ("", "20260303000000", "-504"),
        ("2026-03-01", "20260303000000", "-504"),
        ("20260301000000", "", "-505"),
        ("20260303000000", "20260301000000", "-505"),
    ],
)
def test_bad_window_is_refused(played: Played, since: str, until: str, code: str) -> None:
    assert played.report(From=since, To=until) == code


def test_admin_sees_children_and_children_only_themselves(played: Played) -> None:
    played.send()
    played.ask("Send", "child-token", DestinationAddress=GRACE, SourceAddress="API", Body="Hi")
    span = {"From": "20260301000000", "To": "20260303000000"}
    of_admin = played.ask("Report", ReportType="Messages", **span)
    of_child = played.ask("Report", "child-token", ReportType="Messages", **span)
    of_other = played.ask("Report", "poor-token", ReportType="Messages", **span)
    assert [row[1] for row in each_cell(of_admin)][1:] == ["demo", "child"]
    assert [row[1] for row in each_cell(of_child)][1:] == ["child"]
    assert len(of_other.splitlines()) == 1


def test_million_rows_are_made_only_as_they_are_read(played: Played) -> None:
    played.throw(filler_rows=1_000_000)
    account = played.world.accounts.get("demo")
    assert account is not None
    asked = {"ReportType": "Messages", "From": "20260301000000", "To": "20260303000000"}
    rows = make_report(Call(played.world, account, asked, played.world.clock.now())).rows
    assert rows is not None
    chunks = list(itertools.islice(rows, 3))
    assert all(60_000 < len(chunk) < 70_000 for chunk in chunks)


def test_report_that_is_read_slowly_does_not_show_what_comes_later(played: Played) -> None:
    played.throw(filler_rows=2000)
    account = played.world.accounts.get("demo")
    assert account is not None
    played.send()
    asked = {"ReportType": "Messages", "From": "20260301000000", "To": "20260303000000"}
    rows = make_report(Call(played.world, account, asked, played.world.clock.now())).rows
    assert rows is not None
    first = next(rows)
    played.pass_seconds(timedelta(minutes=1).total_seconds())
    played.send()
    report = first + "".join(rows)
    assert len(report.splitlines()) == 1 + 2000 + 1
    assert report.splitlines()[-1].split('","')[4] == "Pending"
