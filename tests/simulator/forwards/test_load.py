"""Load mode: the pace, the bound, the counts, and its end."""

import asyncio
from time import perf_counter

import pytest
from pydantic import ValidationError

from app.simulator.forwards.load import LoadOrder
from tests.simulator.play import VMN, Played, Wire


async def run_load(played: Played, order: LoadOrder) -> dict[str, object]:
    run = await played.app.simulator.start_load(order)
    while not run.finished:  # noqa: ASYNC110 nothing tells it
        await asyncio.sleep(0.005)
    await played.app.simulator.close()
    return run.as_json()


async def test_load_comes_in_at_its_pace_from_many_senders(played: Played) -> None:
    started = perf_counter()
    order = LoadOrder(dest=VMN, rate=200, count=40, senders=7, body="Number {n}")
    shown = await run_load(played, order)
    assert perf_counter() - started >= 39 / 200
    assert (shown["came_in"], shown["accepted"], shown["refused"]) == (40, 40, 0)
    forms = played.owner.forms()
    assert max(form["source"] for form in forms) == "447700900006"
    assert min(form["msg"] for form in forms) == "Number 1"
    assert len({form["id"] for form in forms}) == 40


async def test_load_falls_behind_a_slow_owner_and_never_queues(played: Played) -> None:
    played.owner.seconds = 0.02
    started = perf_counter()
    await run_load(played, LoadOrder(dest=VMN, rate=10_000, count=12, at_once=2))
    assert perf_counter() - started >= 0.12
    assert len(played.owner.requests) == 12


async def test_refused_forwards_are_counted(played: Played) -> None:
    played.owner.answers = [503, 200, 500]
    shown = await run_load(played, LoadOrder(dest=VMN, rate=1000, count=5))
    assert (shown["accepted"], shown["refused"]) == (3, 2)


async def test_new_load_ends_the_one_before(played: Played) -> None:
    simulator = played.app.simulator
    first = await simulator.start_load(LoadOrder(dest=VMN, rate=0.1, count=100))
    await asyncio.sleep(0.01)
    second = await simulator.start_load(LoadOrder(dest=VMN, rate=0.1, count=100))
    assert (first.finished, second.finished) == (True, False)
    await simulator.close()
    assert second.finished


def test_load_is_ordered_and_ended_over_the_control_interface(wire: Wire) -> None:
    assert wire.order("GET", "load").json() is None
    wire.order("POST", "load", {"dest": VMN, "rate": 0.1, "count": 1000}).raise_for_status()
    assert wire.order("GET", "load").json()["finished"] is False
    ended = wire.order("DELETE", "load").json()
    assert ended["finished"] is True
    assert ended["came_in"] <= 1


@pytest.mark.parametrize(
    "bad", [{"rate": 10_001}, {"count": 1_000_001}, {"senders": 1001}, {"at_once": 65}]
)
def test_load_is_bounded(bad: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        LoadOrder.model_validate({"dest": VMN, **bad})
