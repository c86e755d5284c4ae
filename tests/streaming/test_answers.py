"""Answers that are made while they are sent: how they begin, break off and let go."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from app.domain.provider_errors import CallBroken
from app.streaming.answers import StreamedAnswer, begin


class Source:
    """Chunks, perhaps an error behind them, and whether the source was let go of."""

    def __init__(self, *chunks: bytes, error: Exception | None = None) -> None:
        self.chunks = chunks
        self.error = error
        self.closed = False

    async def read(self) -> AsyncGenerator[bytes]:
        try:
            for chunk in self.chunks:
                yield chunk
            if self.error is not None:
                raise self.error
        finally:
            self.closed = True


async def answer(source: Source, *, fails: bool = False) -> list[dict[str, Any]]:
    """What is sent; with `fails` the client has gone after the first message."""
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        if fails and sent:
            raise OSError
        sent.append(message)

    scope: Any = {"type": "http", "asgi": {"spec_version": "2.4"}}
    response = StreamedAnswer(await begin(source.read()), "text/csv")
    await response(scope, None, send)  # type: ignore[arg-type]  # nothing is received
    return sent


async def test_a_whole_answer_ends_and_lets_go() -> None:
    source = Source(b"a", b"b")
    sent = await answer(source)
    assert b"".join(each.get("body", b"") for each in sent) == b"ab"
    assert sent[-1]["more_body"] is False
    assert source.closed


async def test_an_answer_that_breaks_off_has_no_end() -> None:
    source = Source(b"a", error=CallBroken("it broke"))
    sent = await answer(source)
    assert (sent[-1]["body"], sent[-1]["more_body"]) == (b"a", True)
    assert source.closed


async def test_what_fails_at_once_can_still_be_answered_as_an_error() -> None:
    source = Source(error=CallBroken("it broke"))
    with pytest.raises(CallBroken):
        await begin(source.read())
    assert source.closed


async def test_a_client_that_leaves_lets_the_source_go() -> None:
    source = Source(b"a", b"b")
    with pytest.raises(Exception):  # noqa: B017, PT011 however the framework calls it
        await answer(source, fails=True)
    assert source.closed
