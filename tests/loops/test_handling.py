"""What the loop that handles messages does beside them, and when."""

from types import SimpleNamespace
from typing import Any

import pytest

from app.flows.inbound.handle import Handled
from app.loops import handling

REPLY, SILENCE, NOTHING = Handled(1, queued=1), Handled(1), Handled()


@pytest.mark.parametrize(
    ("turns", "indexed"),
    [
        # The sender claims a reply before the next turn indexes it.
        ([REPLY, NOTHING], [False, True]),
        ([SILENCE, NOTHING], [True, True]),
        # A stream of replies does not keep them out of the index.
        ([REPLY] * 4, [False, True, False, True]),
    ],
)
async def test_a_reply_is_indexed_after_the_sender_could_claim_it(
    monkeypatch: pytest.MonkeyPatch, turns: list[Handled], indexed: list[bool]
) -> None:
    left, looked = list(turns), [False]

    async def handle(*_: Any) -> Handled:
        return left.pop(0)

    async def index(*_: Any, was_indexing: bool) -> bool:
        looked[-1] = True
        return was_indexing

    async def refill(_: Any) -> bool:
        return False

    monkeypatch.setattr(handling, "_handle", handle)
    monkeypatch.setattr(handling, "_index_sent", index)
    monkeypatch.setattr(handling, "_refill", refill)
    runtime: Any = SimpleNamespace(database=SimpleNamespace(dialect="postgresql"), intake=None)
    loop = handling.Handling(runtime, lambda: None)

    found = []
    while left:
        looked[-1] = False
        await loop.turn()
        found.append(looked[-1])

    assert found == indexed
