"""`letterbox simulate`: the served process, and the commands that order one about."""

import inspect
import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx2
import pytest
from typer.testing import CliRunner, Result

from app.cli.process.simulate import app, fault
from app.simulator.state.faults import Fault
from tests.simulator.play import ADA, VMN, Wire

COMMAND = [sys.executable, "-c", "from app.cli.process.simulate import app; app()"]


def run(wire: Wire, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--url", wire.url])


@contextmanager
def served(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [*COMMAND, "serve", "--port", str(port), *arguments], stderr=subprocess.PIPE, text=True
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_it_runs(url)
        yield process, url
    finally:
        process.kill()
        process.communicate()


def wait_until_it_runs(url: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            httpx2.get(f"{url}/_simulator/livez", trust_env=False).raise_for_status()
        except httpx2.TransportError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("the simulator did not start")


@pytest.mark.slow
def test_served_process_plays_the_provider_and_ends_cleanly_while_it_holds_a_call() -> None:
    with (
        served("--forward-to", "http://127.0.0.1:1/in", "--auth", "x") as (process, url),
        httpx2.Client(base_url=url, trust_env=False, timeout=20) as client,
        socket.create_connection(("127.0.0.1", client.base_url.port or 0)) as held,
    ):
        query = {"Token": "demo-token", "Action": "CheckCredits"}
        assert client.get("/api", params=query).text == "1000.00"
        client.post("/_simulator/faults", json=[{"kind": "reset", "times": 1}])
        with pytest.raises(httpx2.ReadError, match="Connection reset by peer"):
            client.get("/api", params=query)
        client.post("/_simulator/faults", json=[{"kind": "silence", "seconds": 600}])
        held.sendall(b"GET /api?Action=CheckCredits HTTP/1.1\r\nHost: s\r\n\r\n")
        while not client.get("/_simulator/calls").json()["recent"][2:]:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        _, notes = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGTERM
    assert "Traceback" not in notes
    assert f"API       {url}/api with the token demo-token" in notes
    assert f"Number    {VMN} forwards to http://127.0.0.1:1/in" in notes


@pytest.mark.slow
def test_beginning_can_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "provider.json"
    path.write_text('{"accounts": [{"username": "me", "token": "mine", "credits": "2.5"}]}')
    with served("--config", str(path)) as (_, url):
        answer = httpx2.get(f"{url}/api?Token=mine&Action=CheckCredits", trust_env=False)
        assert answer.text == "2.50"


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ('{"accounts": []}', "accounts"),
        ('{"accounts": [{"username": "me", "token": "x", "parent": "you"}]}', "you"),
        ('{"accounts": [{"username": "me", "token": "x", "colour": 1}]}', "colour"),
        (
            '{"accounts": [{"username": "a", "token": "x"}, {"username": "b", "token": "x"}]}',
            "token",
        ),
        (
            '{"accounts": [{"username": "a", "token": "x"}, {"username": "a", "token": "y"}]}',
            "name",
        ),
        ("nonsense", "JSON"),
    ],
)
def test_bad_file_is_one_clear_line(tmp_path: Path, content: str, named: str) -> None:
    path = tmp_path / "provider.json"
    path.write_text(content)
    result = CliRunner().invoke(app, ["serve", "--config", str(path)])
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert named in result.stderr


def test_text_is_sent_in(wire: Wire) -> None:
    result = run(wire, "text", "--from", ADA, "--to", VMN, "Hello there")
    assert result.exit_code == 1
    assert json.loads(result.stdout)[0]["body"] == "Hello there"
    assert result.stderr == f"Nobody took the text: look where {VMN} forwards to.\n"


def test_clock_is_shown_and_moved(wire: Wire) -> None:
    before = json.loads(run(wire, "clock").stdout)["now"]
    after = json.loads(run(wire, "clock", "--advance", "60").stdout)["now"]
    assert before < after
    assert json.loads(run(wire, "clock", "--speed", "0").stdout)["speed"] == 0


def test_switches_are_shown_and_thrown(wire: Wire) -> None:
    assert json.loads(run(wire, "switch").stdout)["cancel_action"] == "CancelMessage"
    thrown = run(wire, "switch", "cancel_action=Cancel", "short_rows=true", "daily_limit=3")
    shown = json.loads(thrown.stdout)
    assert (shown["cancel_action"], shown["short_rows"], shown["daily_limit"]) == (
        "Cancel",
        True,
        3,
    )


def test_faults_are_added_and_cleared(wire: Wire) -> None:
    added = json.loads(run(wire, "fault", "reset", "--times", "2", "--no-taken").stdout)
    assert (added[0]["kind"], added[0]["times"], added[0]["taken"]) == ("reset", 2, False)
    only = ("--destination", ADA, "--skip", "1", "--status", "503")
    added = json.loads(run(wire, "fault", "html", "--action", "Send", *only).stdout)[1]
    names = ("kind", "action", "destination", "skip", "status", "code")
    assert [added[name] for name in names] == ["html", "Send", ADA, 1, 503, -300]
    assert json.loads(run(wire, "fault", "--clear").stdout) == []


def test_every_field_of_a_fault_has_an_option() -> None:
    assert set(Fault.model_fields) <= set(inspect.signature(fault).parameters)


def test_load_is_begun_shown_and_ended(wire: Wire) -> None:
    assert json.loads(run(wire, "load", "--rate", "0.1").stdout)["order"]["rate"] == 0.1
    assert json.loads(run(wire, "load-state").stdout)["finished"] is False
    assert json.loads(run(wire, "load-state", "--stop").stdout)["finished"] is True


def test_ledger_is_printed(wire: Wire) -> None:
    wire.send(body="Zoë")
    assert json.loads(run(wire, "ledger").stdout)["messages"][0]["body"] == "Zoë"


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["switch", "nonsense"], 2, "NAME=VALUE"),
        (["switch", "nonsense=1"], 1, "The simulator refuses: nonsense"),
        (["fault", "tea"], 2, "'tea' is not one of 'slow'"),
        (["text", "Hello"], 2, "--from"),
        (["text", "--from", ADA, "--to", "447700900999", "Hello"], 1, "no such number"),
        (["load", "--rate", "0"], 2, "rate"),
    ],
)
def test_wrong_usage_is_said_and_numbered(
    wire: Wire, arguments: list[str], status: int, said: str
) -> None:
    result = run(wire, *arguments)
    assert result.exit_code == status
    assert said in re.sub(r"\x1b\[[0-9;]*m", "", result.stderr)
    assert "Traceback" not in result.stderr


def test_port_that_is_taken_is_one_clear_line(wire: Wire) -> None:
    port = str(wire.http.base_url.port)
    result = CliRunner().invoke(app, ["serve", "--port", port])
    assert result.exit_code == 1
    [line] = result.stderr.splitlines()
    assert line.startswith(f"Cannot listen on 127.0.0.1:{port} (Address already in use)")


def test_missing_simulator_is_one_clear_line() -> None:
    result = CliRunner().invoke(app, ["ledger", "--url", "http://127.0.0.1:1"])
    assert result.exit_code == 1
    assert result.stderr.startswith("No simulator answers at http://127.0.0.1:1: ")
    assert len(result.stderr.splitlines()) == 1


def test_every_command_explains_itself() -> None:
    for command in app.registered_commands:
        assert command.callback is not None
        assert command.callback.__doc__
        name = command.name or command.callback.__name__
        assert CliRunner().invoke(app, [name, "--help"]).exit_code == 0
