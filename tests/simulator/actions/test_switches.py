"""Each switch of calls, sends, statuses and reports: what is seen with it at rest, and thrown."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from app.simulator.state.switches import ForwardSwitches, Switches
from tests.simulator.play import ADA, GRACE, VMN, Played, each_cell

Look = Callable[[Played], object]


@dataclass(frozen=True)
class Proof:
    """A way to look, what it shows at rest, and what with the switch at `thrown`."""

    thrown: object
    look: Look
    usual: object
    other: object


def ask(action: str, **parameters: str) -> Look:
    return lambda played: played.ask(action, **parameters)


def send(to: str = ADA, body: str = "Hello", source: str = VMN, **more: str) -> Look:
    return lambda played: played.send(to, body, source, **more)


def schedule_and_cancel(played: Played) -> object:
    sent = played.send(ScheduleDate="20260303080000")
    answer = played.ask("CancelMessage", MessageID=sent)
    return answer, played.status(sent), played.ask("CheckCredits")


def send_twice(played: Played) -> object:
    return played.send(), played.send()


def send_beyond_credits(played: Played) -> object:
    numbers = {"DestinationAddress": f"{ADA},{GRACE}", "SourceAddress": VMN, "Body": "Hello"}
    return played.ask("Send", "poor-token", **numbers)


def credits_after_sending_abroad(played: Played) -> object:
    played.send("12025550123")
    return played.ask("CheckCredits")


def credits_by_http(played: Played) -> object:
    response = played.over_http("CheckCredits")
    return response.headers["content-type"], response.content


def contacts_by_http(played: Played) -> object:
    played.ask("ImportContactsCSV", ContactsCSV=f"Zoë,{ADA}")
    response = played.over_http("GetAllContacts")
    return response.headers["content-type"], response.content.splitlines()[1][:5]


def refusal_by_http(played: Played) -> object:
    response = played.over_http("Frobnicate")
    return response.status_code, response.content


def hour_of_summer_schedule(played: Played) -> object:
    played.send(ScheduleDate="20260701120000")
    return played.world.outgoing.texts[0].due_at.hour


def background_after_two_seconds(played: Played) -> object:
    number = played.send("List", ListName="many", GetBGSendID="1")
    played.pass_seconds(2)
    return "-522" in played.ask("GetBGMessages", BGSendID=number)


def small_background(played: Played) -> object:
    number = played.send("List", ListName="people", GetBGSendID="1")
    return "-522" in played.ask("GetBGMessages", BGSendID=number)


def words(number: str, *seconds: float) -> Look:
    def look(played: Played) -> object:
        sent, seen, passed = played.send(number), [], 0.0
        for moment in seconds:
            played.pass_seconds(moment - passed)
            passed = moment
            seen.append(played.status(sent))
        return seen

    return look


def last_status_of_many(played: Played) -> object:
    for _ in range(20):
        played.send()
    played.pass_seconds(100)
    return sorted({played.status(str(3509592 + index)) for index in range(20)})


def headings(played: Played) -> object:
    return next(each_cell(played.report()))


def report_ids(played: Played) -> object:
    played.send(body="x" * 161)
    return [row[0] for row in each_cell(played.report())][1:]


def report_row(played: Played) -> object:
    played.send()
    return played.report().splitlines(keepends=True)[1]


def report_beginning(played: Played) -> object:
    return played.report()[:2]


def summer_report(played: Played) -> object:
    summer = Played(start=datetime(2026, 7, 1, 11, 0, tzinfo=UTC))
    summer.world.switches = played.world.switches
    summer.send()
    return list(each_cell(summer.report()))[1][5]


def report_growing(played: Played) -> object:
    played.send()
    seen = []
    for _ in range(3):
        seen.append(len(played.report().splitlines()) - 1)
        played.pass_seconds(20)
    return seen


def inbound_report_id(played: Played) -> object:
    played.receive("Hello")
    return list(each_cell(played.report("InboundMessages")))[1][0]


def rows(played: Played) -> object:
    return len(played.report().splitlines()) - 1


def answer_of_import(played: Played) -> object:
    return played.ask("ImportContactsCSV", ContactsCSV=f"Ada,{ADA},,new").splitlines()[0]


USUAL = ["MessageID", "Username", "Destination", "Source", "Status"]
USUAL += ["Schedule Date", "Sent Date", "Delivery Date"]
OTHER = ["Message ID", "User", "Destination Address", "Source Address", "State"]
OTHER += ["Scheduled", "Date Sent", "Date Delivered"]
ROW = f'"3509592","demo","{ADA}","{VMN}","Pending",'
SCHEDULE = '"02/03/2026 12:00:00","",""'
LONE = ask("Send", DestinationAddress=f"{ADA},{GRACE}", SourceAddress=VMN, Body="")
HTML, PLAIN = "text/html; charset=utf-8", "text/plain; charset=utf-8"

PROOFS: dict[str, Proof] = {
    "cancel_action": Proof("Cancel", ask("cancel", MessageID="1"), "-502", "-503"),
    "background_action": Proof("BGMessages", ask("BGMessages", BGSendID=""), "-502", "-507"),
    "background_errors": Proof(
        "plain",
        ask("GetBGMessages", BGSendID="1", ShowErrorMessage="1"),
        '{"error":"-521","message":"Unknown Background SendID"}',
        "-521\nUnknown Background Send ID",
    ),
    "content_type": Proof("text/plain", credits_by_http, (HTML, b"1000.00"), (PLAIN, b"1000.00")),
    "charset": Proof(
        "windows-1252",
        contacts_by_http,
        (HTML, '"Zoë'.encode()),
        ("text/html; charset=windows-1252", b'"Zo\xeb"'),
    ),
    "trailing_newline": Proof(True, refusal_by_http, (200, b"-502"), (200, b"-502\n")),
    "error_status": Proof(400, refusal_by_http, (200, b"-502"), (400, b"-502")),
    "maintenance": Proof(True, ask("CheckCredits"), "1000.00", "-511"),
    "magic_numbers": Proof(False, send("447700900412"), "-412", "3509592"),
    "credits_comma": Proof(True, ask("CheckCredits"), "1000.00", "1,000.00"),
    "zero_unsets_messages": Proof(
        True,
        ask("CheckMessageStatus", MessageID="1", ShowErrorMessage="0"),
        "-503\nUnknown Message ID",
        "-503",
    ),
    "request_zone": Proof("UTC", hour_of_summer_schedule, 11, 12),
    "validity_required": Proof(True, send(), "3509592", "-405"),
    "blank_source_code": Proof(-403, send(source=" "), "-518", "-403"),
    "blank_body_code": Proof(-519, send(body=""), "-404", "-519"),
    "long_body": Proof("cut", send(body="x" * 460), "-507", "3509592"),
    "unknown_list_code": Proof(-516, send("List", ListName="none"), "-410", "-516"),
    "unknown_group_code": Proof(-520, send("Group", GroupName="none"), "-414", "-520"),
    "past_schedule": Proof("send", send(ScheduleDate="20200101000000"), "-407", "3509592"),
    "whole_call_errors": Proof("each", LONE, "-404", "-404,-404"),
    "short_credits": Proof("all", send_beyond_credits, "3509592,-100", "-100"),
    "national_numbers": Proof(False, send("07700900011"), "3509592", "-401"),
    "unrouted_prefixes": Proof(["4477009"], send(), "3509592", "-406"),
    "daily_limit": Proof(1, send_twice, ("3509592", "3509593"), ("3509592", "-411")),
    "foreign_cost": Proof("7.5", credits_after_sending_abroad, "998.00", "992.50"),
    "cancel_refunds": Proof(
        False, schedule_and_cancel, ("1", "-503", "1000.00"), ("1", "-503", "999.00")
    ),
    "cancelled_status": Proof(
        "Cancelled", schedule_and_cancel, ("1", "-503", "1000.00"), ("1", "Cancelled", "1000.00")
    ),
    "background_threshold": Proof(1, small_background, False, True),
    "background_per_second": Proof(1000, background_after_two_seconds, True, False),
    "background_ids": Proof(
        2, send("List", ListName="people", GetBGSendID="1"), "61001", "61001,61002"
    ),
    "import_creates_groups": Proof(False, answer_of_import, "1 : Success", "1 : Partial"),
    "contacts_header": Proof(
        False, ask("GetAllContacts"), '"Name","Number","Email","Groups"\n', ""
    ),
    "sent_after_seconds": Proof(5, words(ADA, 3, 6), ["Sent", "Sent"], ["Pending", "Sent"]),
    "settled_after_seconds": Proof(
        20, words(ADA, 10, 20), ["Delivered", "Delivered"], ["Sent", "Delivered"]
    ),
    "late_after_seconds": Proof(
        10, words("447700900808", 30, 60), ["Unknown", "Delivered"], ["Delivered", "Delivered"]
    ),
    "default_validity_seconds": Proof(
        5, words(ADA, 3, 60), ["Sent", "Delivered"], ["Sent", "Expired"]
    ),
    "ending_shares": Proof(
        {"Failed": 0.5, "stays-sent": 0.25},
        last_status_of_many,
        ["Delivered"],
        ["Delivered", "Failed", "Sent"],
    ),
    "rename_statuses": Proof({"Sent": "On its way"}, words(ADA, 3), ["Sent"], ["On its way"]),
    "report_headings": Proof("other", headings, USUAL, OTHER),
    "rename_headings": Proof({"MessageID": "Ref"}, headings, USUAL, ["Ref", *USUAL[1:]]),
    "report_dates": Proof(
        "compact", report_row, f"{ROW}{SCHEDULE}\n", f'{ROW}"20260302120000","",""\n'
    ),
    "reply_zone": Proof("UTC", summer_report, "01/07/2026 12:00:00", "01/07/2026 11:00:00"),
    "report_newline": Proof("\r\n", report_row, f"{ROW}{SCHEDULE}\n", f"{ROW}{SCHEDULE}\r\n"),
    "report_bom": Proof(True, report_beginning, '"M', '\ufeff"'),
    "short_rows": Proof(True, report_row, f"{ROW}{SCHEDULE}\n", f'{ROW}"02/03/2026 12:00:00"\n'),
    "report_lag_seconds": Proof(30, report_growing, [1, 1, 1], [0, 0, 1]),
    "report_rows": Proof("message", report_ids, ["3509592", "3509593"], ["3509592"]),
    "report_pending": Proof(False, report_growing, [1, 1, 1], [0, 1, 1]),
    "inbound_ids": Proof("other", inbound_report_id, "8200001", "1"),
    "filler_rows": Proof(3, rows, 0, 3),
}


def test_every_switch_but_those_of_forwards_is_proved() -> None:
    assert PROOFS.keys() == Switches.model_fields.keys() - ForwardSwitches.model_fields.keys()


@pytest.mark.parametrize("name", PROOFS)
def test_switch_at_rest_shows_the_likeliest_answer(name: str) -> None:
    proof = PROOFS[name]
    assert proof.look(Played()) == proof.usual


@pytest.mark.parametrize("name", PROOFS)
def test_thrown_switch_shows_the_other_answer(name: str) -> None:
    proof = PROOFS[name]
    played = Played()
    played.throw(**{name: proof.thrown})
    assert proof.look(played) == proof.other


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("reply_zone", "Europe/Atlantis"),
        ("reply_zone", "../etc/passwd"),
        ("forward_charset", "utf-9"),
        ("ending_shares", {"Eaten": 0.1}),
        ("ending_shares", {"Failed": 0.6, "Expired": 0.6}),
        ("forward_loss_share", 1.5),
        ("no_such_switch", True),
    ],
)
def test_impossible_position_is_refused(played: Played, name: str, value: object) -> None:
    with pytest.raises(ValidationError):
        played.throw(**{name: value})
