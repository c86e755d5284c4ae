"""The people who text now and then: who says what, how often, and when they stop."""

import asyncio

import httpx2
import pytest
from starlette.types import Receive, Scope, Send

from app.simulator.application import build_simulator
from app.simulator.forwards.chatter import (
    BODIES,
    FASTEST_SECONDS,
    LONG_BODY,
    keep_texting,
    make_text,
)
from app.simulator.state.clock import start_clock
from app.simulator.state.config import demo_config
from tests.simulator.play import Owner

PEOPLE = [("447700900010", "C-1"), ("447700900011", "C-2")]


class Enough(Exception):
    """The test has seen what it wanted."""


def test_people_take_turns_and_name_their_own_order() -> None:
    texts = [make_text(turn, PEOPLE) for turn in range(len(BODIES) + 1)]
    assert [number for number, _ in texts[:3]] == ["447700900010", "447700900011", "447700900010"]
    assert texts[2][1] == "Is order C-1 ready yet?"
    assert texts[0][1] == texts[-1][1]
    assert len(LONG_BODY) > 160


def test_whoever_wants_no_more_texts_wants_them_again() -> None:
    [people] = demo_config().lists
    numbers = [(entry.number, entry.fields[-1]) for entry in people.entries]
    texts = [make_text(turn, numbers) for turn in range(5 * len(BODIES))]
    stopped = [number for number, body in texts if body == "STOP"]
    assert stopped == [number for number, body in texts if body == "START"]
    assert set(stopped) == {number for number, _ in numbers}


@pytest.mark.parametrize(("asked", "first", "then"), [(10, 2, 10), (1, 1, 1), (0, 0, 1)])
async def test_texts_come_at_a_bounded_rate(asked: float, first: float, then: float) -> None:
    slept: list[float] = []
    sent: list[str] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) > 3:
            raise Enough

    async def receive(source: str, body: str) -> None:
        sent.append(source)

    with pytest.raises(Enough):
        await keep_texting(receive, PEOPLE, asked, sleep)
    assert slept == [first, then, then, then]
    assert min(slept[1:]) >= FASTEST_SECONDS
    assert len(sent) == 3


async def test_the_numbers_list_texts_it_for_as_long_as_the_application_lives() -> None:
    owner, came = Owner(), asyncio.Event()

    async def note(scope: Scope, receive: Receive, send: Send) -> None:
        await owner(scope, receive, send)
        came.set()

    transport = httpx2.ASGITransport(note)
    config = demo_config("http://owner.example/in", "open sesame")
    app = build_simulator(config, start_clock(), transport=transport, texting_seconds=0.01)
    async with app.router.lifespan_context(app):
        await came.wait()
    form = owner.forms()[0]
    assert (form["source"], form["MMName"]) == ("447700900010", "Ada Lovelace")
    assert form["auth"] == "open sesame"
    assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
