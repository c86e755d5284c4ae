"""Answers that are made while they are sent, from a source that must be let go of."""

import asyncio
import time
from collections.abc import AsyncGenerator

import structlog
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from app.domain.provider_errors import ProviderError

MAX_REST_SECONDS = 0.01

log = structlog.get_logger("letterbox.http")


class StreamedAnswer(StreamingResponse):
    """Chunks as they come, to be saved as a file if it has a name.

    The generator is closed however the answer ends. If the provider breaks off halfway, the
    connection is closed without the answer's end, so that clients notice.
    """

    def __init__(
        self, chunks: AsyncGenerator[bytes], media_type: str, *, filename: str = ""
    ) -> None:
        headers = {"Content-Disposition": f'attachment; filename="{filename}"'} if filename else {}
        super().__init__(chunks, media_type=media_type, headers=headers)
        self._chunks = chunks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._chunks.aclose()

    async def stream_response(self, send: Send) -> None:
        try:
            await super().stream_response(send)
        except ProviderError as error:
            log.warning("answer_broke_off", error=str(error))


async def begin(chunks: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """The same chunks, the first of them made already: what fails until then can be answered."""
    try:
        first = await anext(chunks, b"")
    except BaseException:
        await chunks.aclose()
        raise
    return _chain(first, chunks)


async def make_in_turn(chunks: AsyncGenerator[bytes], turn: asyncio.Lock) -> AsyncGenerator[bytes]:
    """Exports take turns to make their pages: several at once would delay forwards."""
    while True:
        async with turn:
            began = time.perf_counter()
            chunk = await anext(chunks, None)
            # Rest as long as the page took, because the reading thread holds the interpreter.
            await asyncio.sleep(min(time.perf_counter() - began, MAX_REST_SECONDS))
        if chunk is None:
            return
        yield chunk


async def _chain(first: bytes, chunks: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    try:
        yield first
        async for chunk in chunks:
            yield chunk
    finally:
        await chunks.aclose()
