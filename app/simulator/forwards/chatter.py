"""People who text a number now and then, so that a demo shows something."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import count

# For more, use `load`.
FASTEST_SECONDS = 1.0
_FIRST_SECONDS = 2.0

# Two parts: more than 160 characters.
LONG_BODY = (
    "Could I come an hour later tomorrow? I am stuck on a train, and the next one leaves at"
    " ten past five. If that is too late for you I can also come on Thursday morning."
)
# STOP and START are five apart, so that the same one of the demo's five people sends both.
BODIES = (
    "Hello, are you open on Sunday?",
    "HOURS",
    "Is order {field} ready yet?",
    "STOP",
    "Thanks, that was quick 🙂",
    LONG_BODY,
    "ORDER {field}",
    "Café or home delivery: which is cheaper?",
    "START",
    "YES",
    "Are you there?",
)

Text = tuple[str, str]


def make_text(turn: int, people: Sequence[tuple[str, str]]) -> Text:
    """Who sends what at a turn; `people` are numbers, each with its order number."""
    number, field = people[turn % len(people)]
    return number, BODIES[turn % len(BODIES)].replace("{field}", field)


async def keep_texting(
    receive: Callable[[str, str], Awaitable[object]],
    people: Sequence[tuple[str, str]],
    every_seconds: float,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Send a text every so many seconds until cancelled, the first one soon.

    One after the other: if forwards are slow, there are fewer.
    """
    await sleep(min(_FIRST_SECONDS, every_seconds))
    for turn in count():
        await receive(*make_text(turn, people))
        await sleep(max(every_seconds, FASTEST_SECONDS))
