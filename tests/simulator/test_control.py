"""The control interface: what it sets, what it shows, and what it refuses."""

import pytest

from tests.simulator.play import ADA, GRACE, VMN, Wire


def test_clock_moves_statuses(wire: Wire) -> None:
    sent = wire.send().text
    wire.order("PATCH", "clock", {"advance_seconds": 2})
    assert wire.ask("CheckMessageStatus", MessageID=sent) == "Sent"
    wire.order("PATCH", "clock", {"advance_seconds": 3600})
    assert wire.ask("CheckMessageStatus", MessageID=sent) == "Delivered"


def test_clock_can_run_and_stand_again(wire: Wire) -> None:
    assert wire.order("PATCH", "clock", {"speed": 1000}).json()["speed"] == 1000
    assert wire.order("PATCH", "clock", {"speed": 0}).json()["speed"] == 0
    assert wire.order("GET", "clock").json() == wire.order("GET", "clock").json()


def test_clock_moves_to_an_instant(wire: Wire) -> None:
    now = wire.order("GET", "clock").json()["now"]
    year = int(now[:4]) + 1
    answer = wire.order("PATCH", "clock", {"now": f"{year}-07-01T12:00:00+01:00"})
    assert answer.json()["now"] == f"{year}-07-01T11:00:00+00:00"


def test_switch_is_thrown_and_put_back(wire: Wire) -> None:
    assert wire.order("PATCH", "switches", {"cancel_action": "Cancel"}).is_success
    assert wire.ask("Cancel", MessageID="1") == "-503"
    assert wire.order("DELETE", "switches").json()["cancel_action"] == "CancelMessage"
    assert wire.ask("Cancel", MessageID="1") == "-502"


def test_ledger_can_be_filtered(wire: Wire) -> None:
    wire.send(f"{ADA},{GRACE}")
    wire.order("POST", "texts", {"source": ADA, "dest": VMN, "body": "Hello"})
    ledger = wire.order("GET", f"ledger?to={GRACE}").json()
    assert [one["to"] for one in ledger["messages"]] == [GRACE]
    assert ledger["inbound"] == []
    ledger = wire.order("GET", f"ledger?source={ADA}").json()
    assert ledger["messages"] == []
    assert [one["body"] for one in ledger["inbound"]] == ["Hello"]


def test_account_can_be_changed(wire: Wire) -> None:
    change = {"token": "new", "credits": "3.5", "blacklist": [ADA], "allowed_sources": [VMN]}
    shown = wire.order("PATCH", "accounts/demo", change).json()
    assert (shown["credits"], shown["blacklist"], shown["admin"]) == ("3.5", [ADA], True)
    assert wire.ask("CheckCredits") == "-501"
    assert wire.ask("CheckCredits", Token="new") == "3.50"
    assert wire.send(Token="new").text == "-412"
    wire.order("PATCH", "accounts/demo", {"state": "suspended"})
    assert wire.ask("CheckCredits", Token="new") == "-512"


def test_account_can_be_added(wire: Wire) -> None:
    account = {"username": "late", "token": "late-token", "credits": 7}
    assert wire.order("POST", "accounts", account).is_success
    assert wire.ask("CheckCredits", Token="late-token") == "7.00"
    names = [one["username"] for one in wire.order("GET", "accounts").json()]
    assert names[0] == "demo"
    assert names[-1] == "late"


def test_number_and_list_can_be_put(wire: Wire) -> None:
    number = {"number": "447700900003", "username": "demo", "method": "GET", "list": "new"}
    people = {"name": "new", "username": "demo", "entries": [{"number": ADA, "fields": ["x"]}]}
    assert wire.order("PUT", "numbers", number).json()[-1]["number"] == "447700900003"
    assert wire.order("PUT", "lists", people).json()[-1]["entries"][0]["fields"] == ["x"]
    assert wire.send("List", ListName="new").text == "1"
    text = {"source": ADA, "dest": "447700900003", "body": "Hello"}
    assert wire.order("POST", "texts", text).status_code == 201


def test_reset_begins_again(wire: Wire) -> None:
    wire.send()
    wire.order("PATCH", "switches", {"maintenance": True})
    wire.order("POST", "faults", [{"kind": "reset"}])
    wire.order("POST", "reset")
    assert wire.taken() == []
    assert wire.send().text == "3509592"


def test_magic_numbers_are_listed(wire: Wire) -> None:
    magic = wire.order("GET", "magic").json()
    assert magic["447700900412"] == "refused with -412 Number is blacklisted"
    assert magic["447700900803"] == "ends: Failed"
    assert magic["447700900904"] == "reset: taken, and the connection is reset"


def test_it_says_that_it_runs(wire: Wire) -> None:
    assert wire.order("GET", "livez").json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("method", "path", "order", "status", "named"),
    [
        ("PATCH", "clock", {"speed": -1}, 422, "speed"),
        ("PATCH", "clock", {"advance_seconds": 1e300}, 422, "advance_seconds"),
        ("PATCH", "clock", {"now": "2001-01-01T00:00:00Z"}, 422, "only goes forward"),
        ("PATCH", "switches", {"cancel_action": 3}, 422, "cancel_action"),
        ("PATCH", "switches", {"nonsense": 3}, 422, "nonsense"),
        ("PATCH", "switches", [], 422, "the whole"),
        ("POST", "faults", [{"kind": "tea"}], 422, "kind"),
        ("POST", "faults", {"kind": "reset"}, 422, "write a list"),
        ("POST", "texts", {"source": ADA, "dest": VMN}, 422, "body"),
        (
            "POST",
            "texts",
            {"source": ADA, "dest": "447700900999", "body": "x"},
            422,
            "447700900999",
        ),
        ("POST", "load", {"dest": "447700900999"}, 422, "447700900999"),
        ("POST", "load", {"dest": VMN, "rate": 0}, 422, "rate"),
        ("PATCH", "accounts/nobody", {}, 404, "no such account"),
        ("PATCH", "accounts/demo", {"credits": -1}, 422, "credits"),
        ("PUT", "numbers", {"number": "+44", "username": "demo"}, 422, "number"),
        ("GET", "nothing", None, 404, "Not Found"),
        ("PUT", "clock", {}, 405, "Method Not Allowed"),
    ],
)
def test_impossible_order_is_refused_by_name(
    wire: Wire, method: str, path: str, order: object, status: int, named: str
) -> None:
    response = wire.order(method, path, order)
    assert response.status_code == status
    assert named in response.json()["error"]


def test_reset_repeats_what_happened_by_chance(wire: Wire) -> None:
    def play() -> list[str]:
        wire.order("POST", "reset")
        wire.order("POST", "faults", [{"kind": "code", "probability": 0.5}])
        return [wire.ask("CheckCredits") for _ in range(20)]

    first = play()
    assert len(set(first)) == 2
    assert play() == first


def test_what_is_wrong_with_an_order_is_said_in_plain_words(wire: Wire) -> None:
    for path, order, said in (
        ("switches", {"forward_twice": 1}, "forward_twice: there is no such field"),
        ("switches", {"error_status": 99}, "error_status: write 200 or more"),
        ("clock", {"speed": "fast"}, "speed: write a number"),
        ("accounts/demo", {"state": "asleep"}, "state: write 'active', 'suspended'"),
    ):
        answer = wire.order("PATCH", path, order)
        assert answer.status_code == 422
        assert answer.json()["error"].startswith(said)
