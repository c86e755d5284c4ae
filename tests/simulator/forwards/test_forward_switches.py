"""Each switch of forwards: how texts come with it at rest, and thrown."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from app.simulator.state.switches import ForwardSwitches
from tests.simulator.play import ADA, VMN, Played

Look = Callable[[Played], object]
FORM = "application/x-www-form-urlencoded"


def come(*bodies: str, source: str = ADA) -> Look:
    """Texts come in; what the owner saw of each forward is looked at by the caller."""

    def look(played: Played) -> object:
        played.receive(*bodies, source=source)
        return [form.get("msg") for form in played.owner.forms()]

    return look


def parameter(name: str, source: str = ADA) -> Look:
    def look(played: Played) -> object:
        played.receive("Hello", source=source)
        return played.owner.forms()[0].get(name)

    return look


def content(played: Played) -> object:
    played.receive("Café €5 ж")
    [(_, url, content_type, body)] = played.owner.requests
    carried = body or url.encode()
    return content_type.partition(";")[0], b"dest" in carried, b"caf" in carried.lower()


def raw_message(played: Played) -> object:
    played.receive("é€ж")
    body = played.owner.requests[0][3].decode()
    return body.partition("&msg=")[2].partition("&")[0]


def summer_stamp(played: Played) -> object:
    summer = Played(start=datetime(2026, 7, 1, 11, 0, tzinfo=UTC))
    summer.world.switches = played.world.switches
    return parameter("receivedts")(summer)


def names(played: Played) -> object:
    played.receive("Hello")
    return list(played.owner.forms()[0])[:6]


def tries(played: Played) -> object:
    played.owner.answers = [500] * 10
    played.receive("Hello")
    return len(played.owner.requests)


def tries_at_once(played: Played) -> object:
    played.throw(forward_retry_seconds=0)
    return tries(played)


def tries_until_a_yes(played: Played) -> object:
    """How often a text is forwarded to an owner who says 202, then 200, then 200 with a word."""
    played.throw(forward_retries=5, forward_retry_seconds=0)
    played.owner.answers = [202, 200]
    played.owner.words = ["", "Thanks"]
    played.receive("Hello")
    return len(played.owner.requests)


def ids_of_three(played: Played) -> object:
    return [text.id for body in "abc" for text in played.receive(body)]


def tries_without_time(played: Played) -> object:
    played.throw(forward_retries=1)
    played.owner.answers = [500]
    played.receive("Hello", settle=False)
    return len(played.owner.requests)


def copies_one_after_the_other(played: Played) -> object:
    played.throw(forward_copies=3)
    played.owner.seconds = 0.1
    [text] = played.receive("Hello")
    return len(text.attempts), played.owner.begun[-1] - played.owner.begun[0] >= 0.1


def timed_out(played: Played) -> object:
    played.owner.seconds = 0.03
    [text] = played.receive("Hello")
    return text.attempts[0].answer, text.attempts[0].error


def order(played: Played) -> object:
    """The first text may be held back, the second never is."""

    async def come_in() -> list[str]:
        simulator, share = played.app.simulator, played.world.switches.forward_reorder_share
        await simulator.receive_text(ADA, VMN, "first", wait_seconds=0.01)
        played.throw(forward_reorder_share=0)
        await simulator.receive_text(ADA, VMN, "second")
        await simulator.forwarder.settle()
        await simulator.close()
        played.throw(forward_reorder_share=share)
        return [form["msg"] for form in played.owner.forms()]

    return asyncio.run(come_in())


def held_text_comes_soon(played: Played) -> object:
    played.throw(forward_reorder_share=1)
    played.receive("alone", settle=False)
    return len(played.owner.requests)


def send_after_stop(played: Played) -> object:
    played.receive(" Stop ")
    return played.send()


@dataclass(frozen=True)
class Proof:
    """A way to look, what it shows at rest, and what with the switch at `thrown`."""

    thrown: object
    look: Look
    usual: object
    other: object


LOWER = ["source", "dest", "msg", "id", "receivedts", "auth"]
LONG = "x" * 161
PROOFS: dict[str, Proof] = {
    "forward_charset": Proof("windows-1252", raw_message, "%C3%A9%E2%82%AC%D0%B6", "%E9%80%3F"),
    "forward_zone": Proof("UTC", summer_stamp, "2026-07-01 12:00:00", "2026-07-01 11:00:00"),
    "forward_content": Proof("json", content, (FORM, True, True), ("application/json", True, True)),
    "forward_names": Proof("upper", names, LOWER, [name.upper() for name in LOWER]),
    "forward_plus": Proof(True, parameter("source"), ADA, f"+{ADA}"),
    "forward_long_texts": Proof("parts", come(LONG), [LONG], ["x" * 153, "x" * 8]),
    "forward_unlisted_fields": Proof(False, parameter("MM1", "447700900077"), "", None),
    "forward_id_count": Proof(
        2, ids_of_three, [8200001, 8200002, 8200003], [8200001, 8200002, 8200001]
    ),
    "forward_wants": Proof("OK", tries_until_a_yes, 1, 3),
    "forward_timeout_seconds": Proof(0.01, timed_out, (200, None), (None, "no answer in time")),
    "forward_retries": Proof(2, tries_at_once, 1, 3),
    "forward_retry_seconds": Proof(0, tries_without_time, 1, 2),
    "forward_copies": Proof(3, come("Hi"), ["Hi"], ["Hi"] * 3),
    "forward_copies_at_once": Proof(True, copies_one_after_the_other, (3, True), (3, False)),
    "forward_twice_share": Proof(1, come("Hi"), ["Hi"], ["Hi"] * 2),
    "forward_reorder_share": Proof(1, order, ["first", "second"], ["second", "first"]),
    "forward_reorder_seconds": Proof(0.01, held_text_comes_soon, 0, 1),
    "forward_loss_share": Proof(1, come("Hi"), ["Hi"], []),
    "stop_fills_blacklist": Proof(True, send_after_stop, "3509592", "-412"),
}


def test_every_switch_of_forwards_is_proved() -> None:
    assert PROOFS.keys() == ForwardSwitches.model_fields.keys()


@pytest.mark.parametrize("name", PROOFS)
def test_forward_switch_at_rest_shows_the_likeliest_way(name: str) -> None:
    assert PROOFS[name].look(Played()) == PROOFS[name].usual


def test_an_owner_may_have_to_say_200_and_no_more() -> None:
    assert tries_until_a_yes(Played(forward_wants="200")) == 2


@pytest.mark.parametrize("name", PROOFS)
def test_thrown_forward_switch_shows_the_other_way(name: str) -> None:
    played = Played()
    played.throw(**{name: PROOFS[name].thrown})
    assert PROOFS[name].look(played) == PROOFS[name].other
