"""A call's connection: the only place that can reset it, or not answer at all."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Coroutine, Iterator

import httpx2
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_EXTENSION = "simulator.reset"
_LINGER_OFF = struct.pack("ii", 1, 0)


class ResettableProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, lending each request a way to reset its own connection.

    ASGI has no word for it, so the scope carries it as an extension.
    """

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {_EXTENSION: {"reset": self._reset}}

    def _reset(self) -> None:
        """Send a TCP RST: with a linger time of 0, closing becomes a reset."""
        sock: socket.socket = self.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_OFF)
        self.transport.abort()


class Connection:
    """One request's connection, with the ways in which it can end badly.

    Behind uvicorn with ResettableProtocol these are real; in process (httpx2.ASGITransport),
    where there is no connection, the exceptions are raised that httpx2 makes of the real thing.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send

    async def respond(self, response: Response) -> None:
        await response(self._scope, self._receive, self._send)

    async def stream(self, rows: Iterator[str], charset: str, headers: dict[str, str]) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            for chunk in rows:
                yield chunk.encode(charset, errors="replace")
                await asyncio.sleep(0)

        await self.respond(StreamingResponse(chunks(), headers=headers))

    async def reset(self) -> None:
        if not await self._reset_really():
            raise httpx2.ReadError("the simulator reset the connection")

    async def keep_silent(self, pause: Coroutine[None, None, None]) -> None:
        """Wait until the caller gives up or the pause is over, then break the connection."""
        gone, over = asyncio.create_task(self._wait_gone()), asyncio.create_task(pause)
        try:
            await asyncio.wait({gone, over}, return_when=asyncio.FIRST_COMPLETED)
            given_up = gone.done()
        finally:
            gone.cancel()
            over.cancel()
        if not given_up and not await self._reset_really():
            raise httpx2.ReadTimeout("the simulator kept silent")

    async def cut(self, response: Response) -> None:
        """Announce the answer's full length, send half of it and break the connection."""
        start = {
            "type": "http.response.start",
            "status": response.status_code,
            "headers": response.raw_headers,
        }
        await self._send(start)
        half = bytes(response.body)[: len(response.body) // 2]
        await self._send({"type": "http.response.body", "body": half, "more_body": True})
        # The half must be sent before the reset discards what is still buffered.
        await asyncio.sleep(0.05)
        if not await self._reset_really():
            raise httpx2.RemoteProtocolError("the simulator cut its answer short")

    async def _reset_really(self) -> bool:
        extension = self._scope.get("extensions", {}).get(_EXTENSION)
        if extension is None:
            return False
        extension["reset"]()
        await self._wait_gone()
        return True

    async def _wait_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
