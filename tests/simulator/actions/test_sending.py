"""Send, statuses, schedules, cancelling, lists, groups and background sends."""

import json
from decimal import Decimal

import pytest

from app.simulator.actions.magic import ENDING_NUMBERS
from app.simulator.state.final_statuses import ENDINGS
from tests.simulator.play import ADA, GRACE, VMN, Played


def balance(played: Played, username: str = "demo") -> Decimal:
    account = played.world.accounts.get(username)
    assert account is not None
    return account.credits


def test_one_number_gets_one_id_and_costs_one_credit(played: Played) -> None:
    assert played.send() == "3509592"
    assert balance(played) == 999


def test_many_numbers_get_ids_and_codes_in_their_order(played: Played) -> None:
    assert played.send(f"{ADA},nonsense,{GRACE},447700900412") == "3509592,-401,3509593,-412"
    assert balance(played) == 998


def test_each_error_of_many_numbers_is_explained_beneath(played: Played) -> None:
    answer = played.send(f"{ADA},nonsense,447700900412", ShowErrorMessage="1")
    assert answer == "3509592,-401,-412\nInvalid Destination Address\nNumber is blacklisted"


def test_long_message_returns_its_first_id_or_all(played: Played) -> None:
    assert played.send(body="x" * 307) == "3509592"
    assert played.send(body="x" * 307, GetAllMessageIDs="1") == "3509595,3509596,3509597"
    assert played.send(f"{ADA},{GRACE}", body="€" * 81, GetAllMessageIDs="1") == (
        "3509598,3509599,3509600,3509601"
    )
    assert balance(played) == 1000 - 3 - 3 - 4


def test_message_abroad_costs_twice(played: Played) -> None:
    played.send("12025550123", body="x" * 161)
    assert balance(played) == 996


@pytest.mark.parametrize(
    "written", ["+447700900011", "00447700900011", "07700900011", "07700 900-011", "447700900011 "]
)
def test_number_is_read_however_it_is_written(played: Played, written: str) -> None:
    assert played.send(written) == "3509592"
    assert played.world.outgoing.texts[0].destination == ADA


def test_credits_for_some_numbers_only_refuse_the_others(played: Played) -> None:
    poor = {"DestinationAddress": f"{ADA},{GRACE}", "SourceAddress": VMN, "Body": "Hello"}
    assert played.ask("Send", token="poor-token", **poor) == "3509592,-100"
    assert balance(played, "poor") == 0


def test_ordinary_message_becomes_sent_and_then_delivered(played: Played) -> None:
    sent = played.send()
    assert played.status(sent) == "Pending"
    played.pass_seconds(2)
    assert played.status(sent) == "Sent"
    played.pass_seconds(6)
    assert played.status(sent) == "Delivered"


def test_each_part_has_the_status_of_its_message(played: Played) -> None:
    played.send(body="x" * 200)
    played.pass_seconds(3)
    assert [played.status(one) for one in ("3509592", "3509593")] == ["Sent", "Sent"]


LAST_WORDS = {
    "Expired": "Expired",
    "Failed": "Failed",
    "Undeliverable": "Undeliverable",
    "Command_Rejected": "Command_Rejected",
    "Command_Failed": "Command_Failed",
    "stays-pending": "Pending",
    "stays-sent": "Sent",
    "stays-unknown": "Unknown",
    "unknown-then-delivered": "Delivered",
    "unheard-of-word": "Delivered",
    "sent-after-delivered": "Sent",
    "delivered-after-an-hour": "Delivered",
    "failed-then-delivered": "Delivered",
}


def test_every_ending_has_a_number() -> None:
    assert {*ENDING_NUMBERS.values(), "Delivered"} == ENDINGS.keys()


@pytest.mark.parametrize("number", ENDING_NUMBERS)
def test_number_with_an_ending_comes_to_it(played: Played, number: str) -> None:
    sent = played.send(number)
    played.pass_seconds(90_000)
    assert played.status(sent) == LAST_WORDS[ENDING_NUMBERS[number]]


def test_words_on_the_way_can_be_odd(played: Played) -> None:
    unheard, unknown, late = (played.send(f"4477009008{one}") for one in ("09", "08", "10"))
    played.pass_seconds(8)
    assert [played.status(one) for one in (unheard, unknown, late)] == [
        "Buffered",
        "Unknown",
        "Delivered",
    ]


def test_message_that_outlives_its_validity_expires(played: Played) -> None:
    sent = played.send(ValidityPeriod="5")
    played.pass_seconds(4)
    assert played.status(sent) == "Sent"
    played.pass_seconds(1)
    assert played.status(sent) == "Expired"


def test_scheduled_message_waits_for_its_london_time(played: Played) -> None:
    sent = played.send(ScheduleDate="20260302123000")
    played.pass_seconds(1799)
    assert played.status(sent) == "Pending"
    played.pass_seconds(3)
    assert played.status(sent) == "Sent"


def test_schedule_in_the_past_is_refused(played: Played) -> None:
    assert played.send(ScheduleDate="20260302115959") == "-407"


def test_message_can_be_cancelled_until_it_is_sent(played: Played) -> None:
    sent = played.send(body="x" * 161, ScheduleDate="20260302123000")
    assert balance(played) == 998
    assert played.ask("CancelMessage", MessageID="3509593") == "1"
    assert balance(played) == 1000
    assert played.status(sent) == "-503"
    assert played.ask("CancelMessage", MessageID=sent) == "-503"
    assert sent not in played.report()


def test_sent_message_cannot_be_cancelled(played: Played) -> None:
    sent = played.send()
    played.pass_seconds(2)
    assert played.ask("CancelMessage", MessageID=sent) == "-503"
    assert played.status(sent) == "Sent"


def test_message_of_another_account_is_unknown(played: Played) -> None:
    sent = played.send(ScheduleDate="20260302123000")
    for action in ("CheckMessageStatus", "CancelMessage"):
        assert played.ask(action, token="child-token", MessageID=sent) == "-503"


@pytest.mark.parametrize("wanted", ["0", "-1", "\uff11\uff12", "x", "9" * 5000])
def test_absurd_message_id_is_unknown(played: Played, wanted: str) -> None:
    assert played.status(wanted) == "-503"


def test_list_gets_one_answer_and_all_its_messages(played: Played) -> None:
    assert played.send("List", ListName="people") == "1"
    assert [text.destination for text in played.world.outgoing.texts] == [ADA, GRACE]
    assert balance(played) == 998


def test_group_is_filled_by_an_import_and_sent_to(played: Played) -> None:
    played.ask("ImportContactsCSV", ContactsCSV=f"Ada,{ADA},,friends\nGrace,{GRACE},,friends")
    assert played.send("group", GroupName="friends") == "1"
    assert len(played.world.outgoing.texts) == 2


def test_list_that_cannot_be_paid_is_refused_as_a_whole(played: Played) -> None:
    assert played.send("List", ListName="many", body="x" * 459) == "1"
    assert balance(played) == 250
    assert played.send("List", ListName="many", body="x" * 161) == "-100"
    assert balance(played) == 250


def test_partly_bad_list_is_taken_partly(played: Played) -> None:
    assert played.send("List", ListName="mixed") == "-400"
    assert len(played.world.outgoing.texts) == 2


def ask_background(played: Played, number: str) -> object:
    return json.loads(played.ask("GetBGMessages", BGSendID=number))


def test_background_send_is_listed_when_it_has_finished(played: Played) -> None:
    number = played.send("List", ListName="many", GetBGSendID="1")
    assert number == "61001"
    assert ask_background(played, number) == {
        "error": "-522",
        "message": "Background Send Not Finished",
    }
    played.pass_seconds(2.5)
    messages = ask_background(played, number)
    assert isinstance(messages, list)
    assert len(messages) == 250
    assert messages[0] == {
        "MessageID": "3509592",
        "Destination": "447700900020",
        "Status": "Sent",
    }


def test_background_messages_appear_one_after_the_other(played: Played) -> None:
    played.send("List", ListName="many")
    assert played.status("3509592") == "Pending"
    assert played.status("3509691") == "-503"
    played.pass_seconds(1)
    assert played.status("3509691") == "Pending"


def test_small_list_is_finished_at_once(played: Played) -> None:
    messages = ask_background(played, played.send("List", ListName="people", GetBGSendID="1"))
    assert isinstance(messages, list)
    assert [one["Destination"] for one in messages] == [ADA, GRACE]


def test_unknown_background_send_is_an_error(played: Played) -> None:
    error = {"error": "-521", "message": "Unknown Background SendID"}
    assert ask_background(played, "61001") == error
    played.send("List", ListName="people")
    answer = played.ask("GetBGMessages", token="child-token", BGSendID="61001")
    assert json.loads(answer) == error


def test_background_send_without_a_good_number_has_no_messages(played: Played) -> None:
    number = played.send("List", ListName="hopeless", GetBGSendID="1")
    played.pass_seconds(10)
    assert ask_background(played, number) == {
        "error": "-523",
        "message": "No messages were found",
    }


def test_ledger_shows_everything_about_a_message(played: Played) -> None:
    played.send(body="é" * 161, ValidityPeriod="600")
    played.pass_seconds(3)
    assert played.world.outgoing.texts[0].as_json(played.world.clock.now()) == {
        "id": "3509592",
        "ids": ["3509592", "3509593"],
        "username": "demo",
        "to": ADA,
        "source": VMN,
        "body": "é" * 161,
        "parts": 2,
        "encoding": "gsm",
        "cost": "2",
        "taken_at": "2026-03-02T12:00:00+00:00",
        "schedule_at": None,
        "validity_seconds": 600,
        "status": "Sent",
        "history": [
            {"at": "2026-03-02T12:00:00+00:00", "status": "Pending"},
            {"at": "2026-03-02T12:00:02+00:00", "status": "Sent"},
        ],
        "background_id": None,
        "cancelled_at": None,
    }
