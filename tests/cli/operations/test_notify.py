"""`letterbox notify`: addresses go in, masked ones come out, and a test is sent from here."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator

import pytest
from typer.testing import Result

from tests.cli.conftest import invoke
from tests.support.endpoints.notify_target import SECRET, NotifyTarget, serving_target

Run = Callable[..., Result]


@pytest.fixture
def target() -> Iterator[NotifyTarget]:
    """A target in a thread of its own, because a command has its own event loop."""
    loop, ready, ended = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    found: list[NotifyTarget] = []

    async def serve() -> None:
        async with serving_target() as target:
            found.append(target)
            ready.set()
            await ended.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    yield found[0]
    loop.call_soon_threadsafe(ended.set)
    thread.join(10)
    loop.close()


@pytest.fixture
def run(own_database: None) -> Run:
    return invoke


def test_an_address_is_added_listed_tested_and_removed(run: Run, target: NotifyTarget) -> None:
    options = ("--name", "Desk", "--texts", "--number", "07700 900001", "--quiet", "22:00-07:00")
    made = run("notify", "add", "-", *options, typed=f"{target.address('desk')}\n")
    assert made.stdout == "ntf_1\n"
    [shown] = [json.loads(line) for line in run("notify", "list", "--json").stdout.splitlines()]
    assert (shown["id"], shown["numbers"]) == ("ntf_1", ["447700900001"])
    assert (shown["quiet_from"], shown["zone"]) == ("22:00", "Europe/London")
    assert SECRET not in run("notify", "list").stdout
    assert run("notify", "test", "ntf_1").stdout == "the test was taken\n"
    assert target.titles("desk") == ["Letterbox: test"]
    target.modes["desk"] = "500"
    refused = run("notify", "test", "ntf_1")
    assert "500" in str(refused.exception)
    assert SECRET not in str(refused.exception)
    assert "500" in run("notify", "list").stdout
    assert run("notify", "remove", "ntf_1", typed="n\n").exit_code == 1
    assert run("notify", "remove", "ntf_1", "--yes").stdout == "removed ntf_1\n"
    assert run("notify", "list", "--json").stdout == ""


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["user:hunter2@example.com"], "write an Apprise address"),
        (["ntfy://topic", "--quiet", "22:00"], "--quiet: write the hours like 22:00-07:00"),
        (["ntfy://topic", "--quiet", "22:00-7"], "--quiet: write a time of day like 08:00"),
        (["ntfy://topic", "--summary-at", "8"], "--summary-at: write a time of day like 08:00"),
        (["ntfy://topic", "--zone", "Nowhere"], "--zone: no such time zone"),
        (["ntfy://topic", "--no-alerts"], "--alerts: choose at least one thing to send"),
    ],
)
def test_wrong_use_is_one_line_without_a_secret(run: Run, arguments: list[str], error: str) -> None:
    result = run("notify", "add", *arguments)
    assert error in str(result.exception)
    assert "hunter2" not in str(result.exception)
