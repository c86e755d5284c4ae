"""Answers that are made while they are sent, from a source that must be let go of."""

from collections.abc import AsyncGenerator, Mapping

import structlog
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from app.domain.errors import ProviderError

log = structlog.get_logger("letterbox.api")


class StreamedAnswer(StreamingResponse):
    """Chunks as they come; the generator is closed however the answer ends.

    Where the provider breaks off in the midst, the connection is closed without the answer's end,
    which every client takes for what it is.
    """

    def __init__(
        self, chunks: AsyncGenerator[bytes], media_type: str, headers: Mapping[str, str]
    ) -> None:
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


async def _chain(first: bytes, chunks: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    try:
        yield first
        async for chunk in chunks:
            yield chunk
    finally:
        await chunks.aclose()
