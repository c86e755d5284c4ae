"""Every error code: by an ordinary cause where there is one, and by its magic number."""

import pytest

from app.simulator.actions.codes import ERROR_TEXTS
from tests.simulator.play import ADA, VMN, Played

SEND = {"Action": "Send", "DestinationAddress": ADA, "SourceAddress": VMN, "Body": "Hello"}
REPORT = {"Action": "Report", "ReportType": "Messages"}
SPAN = {"From": "20260301000000", "To": "20260303000000"}
USER = {
    "Action": "CreateUser",
    "ChildUsername": "new",
    "ChildPassword": "secret",
    "AccessLevel": "Normal",
    "FirstName": "New",
    "LastName": "User",
    "Email": "new@example.com",
    "Credits": "5",
}
LIST = SEND | {"DestinationAddress": "List"}
GROUP = SEND | {"DestinationAddress": "Group"}

ORDINARY: dict[int, dict[str, str]] = {
    -100: SEND | {"Token": "poor-token", "Body": "x" * 161},
    -400: LIST | {"ListName": "mixed"},
    -401: SEND | {"DestinationAddress": "nonsense"},
    -402: SEND | {"SourceAddress": "TwelveLetter"},
    -403: SEND | {"SourceAddress": "1234567890123456"},
    -404: SEND | {"Body": " "},
    -405: SEND | {"ValidityPeriod": "86401"},
    -406: SEND | {"DestinationAddress": "88812345678"},
    -407: SEND | {"ScheduleDate": "20261301000000"},
    -408: LIST | {"ListName": "empty"},
    -409: GROUP | {"GroupName": "emptied"},
    -410: LIST | {"ListName": "unheard of"},
    -412: SEND | {"Token": "strict-token", "DestinationAddress": "447700900099"},
    -414: GROUP | {"GroupName": "unheard of"},
    -501: SEND | {"Token": "wrong"},
    -502: {"Action": "Frobnicate"},
    -503: {"Action": "CheckMessageStatus", "MessageID": "1"},
    -504: REPORT | SPAN | {"From": "yesterday"},
    -505: REPORT | SPAN | {"To": "20260230000000"},
    -506: SEND | {"Token": "strict-token", "SourceAddress": "Elsewhere"},
    -507: {"Action": "UpdateCredits", "Quantity": "1"},
    -508: USER | {"ChildUsername": "child"},
    -509: {"Action": "UpdateCredits", "ChildUsername": "poor", "Quantity": "1"},
    -510: {"Action": "UpdateCredits", "ChildUsername": "child", "Quantity": "-1001"},
    -512: SEND | {"Token": "gone-token"},
    -513: SEND | {"Token": "used-token"},
    -514: SEND | {"Token": "old-token"},
    -515: SEND | {"Token": "none-token"},
    -518: SEND | {"SourceAddress": ""},
    -520: {"Action": "EmptyGroup", "Group": "unheard of"},
    -601: REPORT | SPAN | {"ReportType": "Weather"},
    -702: {"Action": "UpdateCredits", "ChildUsername": "child", "Quantity": "some"},
}
"""One call for each code that a caller, an account or the address book can cause."""

BY_SWITCH: dict[int, tuple[dict[str, object], dict[str, str]]] = {
    -411: ({"daily_limit": 1}, SEND),
    -511: ({"maintenance": True}, SEND),
    -516: ({"unknown_list_code": -516}, LIST | {"ListName": "unheard of"}),
    -519: ({"blank_body_code": -519}, SEND | {"Body": ""}),
}
BACKGROUND_CODES = {-521, -522, -523}
BY_MAGIC_ONLY = {-101, -200, -300, -301, -302, -303, -517, -701, -703}


def ask(played: Played, parameters: dict[str, str]) -> str:
    action, token = parameters["Action"], parameters.get("Token", "demo-token")
    others = {name: value for name, value in parameters.items() if name not in ("Action", "Token")}
    return played.ask(action, token, **others)


def test_each_code_of_the_page_has_a_cause() -> None:
    caused = ORDINARY.keys() | BY_SWITCH.keys() | BACKGROUND_CODES | BY_MAGIC_ONLY
    assert caused == ERROR_TEXTS.keys()


@pytest.mark.parametrize("code", ORDINARY)
def test_ordinary_cause_is_answered_with_its_code(played: Played, code: int) -> None:
    played.ask("ImportContactsCSV", ContactsCSV=f"Ada,{ADA},,emptied")
    played.ask("EmptyGroup", Group="emptied")
    assert ask(played, ORDINARY[code]).splitlines()[0] == str(code)


@pytest.mark.parametrize("code", ORDINARY)
def test_show_error_message_adds_the_text_one_line_beneath(played: Played, code: int) -> None:
    played.ask("ImportContactsCSV", ContactsCSV=f"Ada,{ADA},,emptied")
    played.ask("EmptyGroup", Group="emptied")
    answer = ask(played, ORDINARY[code] | {"ShowErrorMessage": ""})
    assert answer.splitlines()[:2] == [str(code), ERROR_TEXTS[code]]


@pytest.mark.parametrize("code", BY_SWITCH)
def test_cause_behind_a_switch_is_answered_with_its_code(played: Played, code: int) -> None:
    switches, parameters = BY_SWITCH[code]
    ask(played, SEND)
    played.throw(**switches)
    assert ask(played, parameters) == str(code)


@pytest.mark.parametrize("code", ERROR_TEXTS)
def test_magic_number_is_refused_with_its_last_three_digits(played: Played, code: int) -> None:
    assert played.send(f"447700900{-code}") == str(code)
    assert played.world.outgoing.texts == []
    assert played.ask("CheckCredits") == "1000.00"


@pytest.mark.parametrize(
    ("action", "parameter"),
    [
        ("CheckMessageStatus", "MessageID"),
        ("CancelMessage", "MessageID"),
        ("UpdateCredits", "ChildUsername"),
        ("CreateUser", "Telephone"),
        ("EmptyGroup", "Group"),
        ("DeleteGroup", "Group"),
        ("Report", "ReportType"),
    ],
)
def test_magic_number_works_as_a_value_of_other_actions(
    played: Played, action: str, parameter: str
) -> None:
    assert played.ask(action, **{parameter: "447700900303"}) == "-303"


def test_magic_number_in_an_import_refuses_all_of_it(played: Played) -> None:
    assert played.ask("ImportContactsCSV", ContactsCSV="Ada,447700900200") == "-200"


@pytest.mark.parametrize("code", [-402, -403, -506, -518])
def test_magic_source_is_refused(played: Played, code: int) -> None:
    assert played.send(source=f"447700900{-code}") == str(code)


def test_magic_list_and_group_names_are_refused(played: Played) -> None:
    assert ask(played, LIST | {"ListName": "447700900517"}) == "-517"
    assert ask(played, GROUP | {"GroupName": "447700900300"}) == "-300"


def test_account_code_refuses_a_whole_call_with_many_numbers(played: Played) -> None:
    assert played.send(f"{ADA},447700900512,{ADA}") == "-512"


def test_magic_numbers_can_be_ordinary_ones() -> None:
    played = Played(magic_numbers=False)
    assert played.send("447700900412") == "3509592"


def test_missing_token_is_unknown(played: Played) -> None:
    assert ask(played, {"Action": "CheckCredits", "Token": ""}) == "-501"


def test_changed_password_makes_the_old_token_unknown(played: Played) -> None:
    account = played.world.accounts.get("demo")
    assert account is not None
    account.token = "new-token"
    assert played.ask("CheckCredits") == "-501"
    assert played.ask("CheckCredits", token="new-token") == "1000.00"


def test_source_type_decides_how_a_source_is_read(played: Played) -> None:
    assert played.send(source="API", SourceTON="1") == "-403"
    assert played.send(source="447700900001", SourceTON="5") == "-402"
    assert played.send(source="80123", SourceTON="5") == "3509592"
    assert played.send(source="+447700900001", SourceTON="1") == "3509593"
    assert played.send(source="API", SourceTON="9") == "-507"
    assert played.send(source="Ẑorro") == "-518"


@pytest.mark.parametrize("validity", ["0", "-5", "soon", "1.5", "٣", "999999999999"])
def test_validity_outside_a_day_is_refused(played: Played, validity: str) -> None:
    assert played.send(ValidityPeriod=validity) == "-405"
