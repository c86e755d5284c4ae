"""Each fault over a real socket, and what the ledger says was taken all the same."""

import asyncio
import socket
import time
from random import Random
from urllib.parse import urlsplit

import httpx2
import pytest

from app.simulator.actions.magic import FAULT_NUMBERS
from app.simulator.state.faults import Fault, FaultPlan
from tests.simulator.play import ADA, GRACE, Played, Wire

FAULTS = ["silence", "reset", "cut", "status", "html", "empty", "code"]


def order_fault(wire: Wire, kind: str, **more: object) -> None:
    wire.order("POST", "faults", [{"kind": kind, **more}]).raise_for_status()


def see(wire: Wire, patience: float = 10) -> str:
    """What a caller sees of one send, in a word; `patience` is in seconds."""
    try:
        response = wire.http.post(
            "/api",
            data={
                "Token": "demo-token",
                "Action": "Send",
                "DestinationAddress": ADA,
                "SourceAddress": "API",
                "Body": "Hello",
            },
            timeout=patience,
        )
    except httpx2.HTTPError as error:
        return type(error).__name__
    return f"{response.status_code} {response.text[:14]}".strip()


SEEN = {
    "silence": "ReadTimeout",
    "reset": "ReadError",
    "cut": "ReadError",
    "status": "500 Internal Serve",
    "html": "500 <!DOCTYPE html",
    "empty": "200",
    "code": "200 -300",
}


@pytest.mark.parametrize("taken", [True, False])
@pytest.mark.parametrize("kind", FAULTS)
def test_fault_is_seen_and_the_message_taken_or_not(wire: Wire, kind: str, taken: bool) -> None:
    order_fault(wire, kind, taken=taken, times=1)
    assert see(wire, 0.3 if kind == "silence" else 10) == SEEN[kind]
    assert wire.taken() == ([ADA] if taken else [])
    assert see(wire).startswith("200 3509")


def test_slow_answer_comes_after_the_message_was_taken(wire: Wire) -> None:
    order_fault(wire, "slow", seconds=0.1, times=1)
    started = time.perf_counter()
    assert wire.send().text == "3509592"
    assert time.perf_counter() - started >= 0.1


def test_caller_who_gives_up_on_a_slow_answer_was_heard(wire: Wire) -> None:
    order_fault(wire, "slow", seconds=60, taken=True, times=1)
    assert see(wire, 0.3) == "ReadTimeout"
    assert wire.taken() == [ADA]


def test_message_may_be_taken_long_after_its_caller_gave_up(wire: Wire) -> None:
    order_fault(wire, "slow", seconds=1, taken=False, times=1)
    assert see(wire, 0.1) == "ReadTimeout"
    assert wire.taken() == []
    deadline = time.monotonic() + 20
    while not wire.taken() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert wire.taken() == [ADA]


def test_reset_is_a_real_one(wire: Wire) -> None:
    order_fault(wire, "reset", times=1)
    place = urlsplit(wire.url)
    assert place.hostname is not None
    with socket.create_connection((place.hostname, place.port or 80), timeout=20) as connection:
        connection.sendall(b"GET /api?Token=demo-token&Action=CheckCredits HTTP/1.1\r\n")
        connection.sendall(b"Host: simulator\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            connection.recv(1)


def test_cut_answer_begins_and_promises_more(wire: Wire) -> None:
    order_fault(wire, "cut", times=1)
    place = urlsplit(wire.url)
    assert place.hostname is not None
    with socket.create_connection((place.hostname, place.port or 80), timeout=20) as connection:
        connection.sendall(b"GET /api?Token=demo-token&Action=CheckCredits HTTP/1.1\r\n")
        connection.sendall(b"Host: simulator\r\n\r\n")
        begun, chunk, broken = b"", b"", False
        while not broken:
            begun += chunk
            try:
                chunk = connection.recv(4096)
                assert chunk, "the connection was closed, not reset"
            except ConnectionResetError:
                broken = True
    assert b"content-length: 7\r\n" in begun
    assert begun.endswith(b"\r\n\r\n100")


def test_silence_ends_with_a_reset_when_its_time_is_over(wire: Wire) -> None:
    order_fault(wire, "silence", seconds=0.05, times=1)
    assert see(wire) == "ReadError"


def test_reset_of_the_simulator_lets_held_calls_go(wire: Wire) -> None:
    order_fault(wire, "silence", seconds=60, times=1)
    place = urlsplit(wire.url)
    assert place.hostname is not None
    with socket.create_connection((place.hostname, place.port or 80), timeout=20) as connection:
        connection.sendall(b"GET /api?Token=demo-token&Action=Send HTTP/1.1\r\nHost: s\r\n\r\n")
        while not wire.order("GET", "calls").json()["recent"]:
            time.sleep(0.01)
        wire.order("POST", "reset")
        with pytest.raises(ConnectionResetError):
            connection.recv(1)


def test_status_and_code_of_a_fault_can_be_chosen(wire: Wire) -> None:
    order_fault(wire, "status", status=503, times=1)
    order_fault(wire, "code", code=-511, taken=False, times=1)
    assert see(wire).startswith("503")
    assert see(wire) == "200 -511"


def test_fault_strikes_only_the_action_and_number_it_is_about(wire: Wire) -> None:
    order_fault(wire, "empty", action="send", destination=GRACE)
    assert wire.ask("CheckCredits") == "1000.00"
    assert wire.send(ADA).text == "3509592"
    assert wire.send(f"{ADA}, {GRACE}").text == ""
    [fault] = wire.order("GET", "faults").json()
    assert (fault["fitted"], fault["struck"], fault["spent"]) == (1, 1, False)


def test_fault_lets_the_first_calls_through_where_it_should(wire: Wire) -> None:
    order_fault(wire, "code", skip=2, times=1)
    assert [wire.ask("CheckCredits") for _ in range(4)] == [
        "1000.00",
        "1000.00",
        "-300",
        "1000.00",
    ]


def test_first_fault_that_strikes_is_the_one(wire: Wire) -> None:
    order_fault(wire, "code", code=-301, times=1)
    order_fault(wire, "code", code=-302)
    assert [wire.ask("CheckCredits") for _ in range(3)] == ["-301", "-302", "-302"]
    wire.order("DELETE", "faults")
    assert wire.ask("CheckCredits") == "1000.00"


def test_faults_by_chance_repeat_with_the_same_seed() -> None:
    def strikes(seed: int) -> list[bool]:
        plan = FaultPlan(Random(seed), (Fault(kind="reset", probability=0.3),))
        return [plan.choose({"Action": "Send"}) is not None for _ in range(200)]

    assert strikes(1) == strikes(1) != strikes(2)
    assert 30 < sum(strikes(1)) < 90


def test_call_log_says_what_struck_and_whether_it_was_taken(wire: Wire) -> None:
    order_fault(wire, "html", taken=False, times=1)
    order_fault(wire, "html", taken=True, times=1)
    see(wire)
    see(wire)
    recent = wire.order("GET", "calls").json()["recent"]
    assert [(one["fault"], one["taken"], one["answer"]) for one in recent] == [
        ("html", False, None),
        ("html", True, "3509592"),
    ]


@pytest.mark.parametrize("number", FAULT_NUMBERS)
def test_magic_number_strikes_the_whole_send(wire: Wire, number: str) -> None:
    fault = FAULT_NUMBERS[number]
    patience = 0.3 if fault.kind in ("slow", "silence") else 10
    data = {"Token": "demo-token", "Action": "Send", "SourceAddress": "API", "Body": "Hello"}
    data["DestinationAddress"] = f"{ADA},+{number}"
    try:
        seen = str(wire.http.post("/api", data=data, timeout=patience).status_code)
    except httpx2.HTTPError as error:
        seen = type(error).__name__
    waits = {"slow": "ReadTimeout", "silence": "ReadTimeout"}
    resets = {"reset": "ReadError", "cut": "ReadError"}
    status = str(fault.status) if fault.kind in ("status", "html") else "200"
    assert seen == (waits | resets).get(fault.kind, status)
    assert wire.taken() == ([ADA, number] if fault.taken else [])


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("reset", httpx2.ReadError),
        ("silence", httpx2.ReadTimeout),
        ("cut", httpx2.RemoteProtocolError),
    ],
)
def test_fault_in_process_raises_what_the_real_one_would(
    played: Played, kind: str, error: type[Exception]
) -> None:
    fault = Fault.model_validate({"kind": kind, "seconds": 0.01, "times": 1})
    played.world.faults.add(fault)
    with pytest.raises(error):
        played.over_http("Send", DestinationAddress=ADA, SourceAddress="API", Body="Hello")
    assert [text.destination for text in played.world.outgoing.texts] == [ADA]


async def test_silent_call_in_process_can_be_cancelled(played: Played) -> None:
    played.world.faults.add(Fault(kind="silence", seconds=60))
    transport = httpx2.ASGITransport(played.app)
    async with httpx2.AsyncClient(transport=transport) as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await client.get("http://simulator/api?Token=demo-token&Action=CheckCredits")
