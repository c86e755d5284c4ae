"""One caller's connection: how long it waits, what it refuses and how it ends."""

import asyncio
import struct
from socket import AF_UNIX, SO_LINGER, SOL_SOCKET
from typing import TYPE_CHECKING, Any, Literal

from uvicorn.protocols.utils import get_remote_addr

from app.api.http.answers import (
    INCOMPLETE,
    LONG_HEADERS,
    LONG_URL,
    TIMED_OUT,
    Answer,
    Headers,
    make_answer,
)
from app.api.http.connections import Connections
from app.api.http.output import Output
from app.api.http.request_head import BadRequest, Head, is_leftover, split_line
from app.api.middleware.request_ids import make_id_header

if TYPE_CHECKING:
    from app.api.http.exchange import Exchange
    from app.api.inbound.endpoint import InboundEndpoint

MAX_HEAD_BYTES = 80 * 1024
# A caller who is still sending sees an answer only if we go on reading for a while: closing at once
# resets the connection, and many programs then drop the answer.
LINGER_SECONDS = 30.0
MAX_LINGER_BYTES = 24 * 1024 * 1024
# For a request that is still arriving when the server stops, and for one that its caller sent, or
# is about to send, on a connection that looks idle.
SHUTDOWN_SECONDS = 2.0
SHUTDOWN_IDLE_SECONDS = 1.0
CHECK_SECONDS = 5.0
# Of what follows a request, to see whether it begins another one.
MAX_WORD_BYTES = 64

# `idle` between two requests; `head` and `body` when part of it has arrived (the application may
# already have begun to answer); `answering` a whole request; `lingering` after the last answer,
# discarding what the caller still sends.
State = Literal["idle", "head", "body", "answering", "lingering", "closed"]


class BoundedConnection(asyncio.Protocol):
    """Every state has an end: `_look` ends what takes too long, and `Connections` closes the oldest
    if there are too many.

    Requests are read and answered by `HttpProtocol`, which derives from this class: it says what
    the connection waits for (`_wait`), and refuses or ends it as is written here.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        connections: Connections,
        inbound: "InboundEndpoint",
        server_state: Any,
        keep_alive_seconds: float,
    ) -> None:
        self.loop = loop
        self._connections = connections
        self._inbound = inbound
        self._server_state = server_state
        self._keep_alive_seconds = keep_alive_seconds
        # For `Connections`.
        self.waits_in: dict[Any, None] = {}
        self.is_trusted = False

        self._state: State = "idle"
        self._deadline = 0.0
        # What has arrived and was not read yet.
        self._buffer = b""
        # The current request: its head, how much came after it, and who answers it. A forward's
        # body is collected here if it comes in pieces.
        self._head: Head | None = None
        self._wire_bytes = 0
        self._exchange: Exchange | None = None
        self._received = bytearray()
        # What follows the current request was given a moment to become another one.
        self._has_waited = False
        # No further request is accepted after the current one.
        self._is_last = False
        # The caller has closed its side.
        self._has_ended = False
        self._is_paused = False

    def _begin(self, transport: asyncio.Transport) -> bool:
        """Returns False if there is no room for it."""
        self._transport = transport
        self._client = get_remote_addr(transport) or _find_local(transport)
        self._output = Output(transport, self.loop.time())
        self.write = self._output.write
        self._server_state.connections.add(self)
        has_room = self._connections.add(self)
        self._wait("idle", self._keep_alive_seconds)
        self._look()
        return has_room

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        if self._state in ("head", "body"):
            self._note_incomplete()
        self._state = "closed"
        self._server_state.connections.discard(self)
        self._connections.discard(self)
        self._timer.cancel()
        if self._exchange is not None:
            self._exchange.disconnect()
        self._output.unblock()

    # Called by uvicorn's server and `Connections`.

    def shutdown(self) -> None:
        """Requests in progress may finish, but nothing new begins."""
        self._is_last = True
        if self._state == "lingering":
            self._close()
            return
        seconds = SHUTDOWN_IDLE_SECONDS if self._state == "idle" else SHUTDOWN_SECONDS
        self._deadline = min(self._deadline, self.loop.time() + seconds)
        self._timer.cancel()
        self._look()

    def evict(self) -> None:
        """Make room for another connection."""
        self._transport.abort()

    # How long it waits.

    def _wait(self, state: State, seconds: float) -> None:
        self._state = state
        if self._is_last:
            seconds = min(seconds, SHUTDOWN_SECONDS)
        self._deadline = self.loop.time() + seconds
        self._connections.wait(self, is_reading=state != "idle")

    def _look(self) -> None:
        """Look now and then, once for many requests: a timer a request would cost more."""
        now = self.loop.time()
        if not self._output.is_read(now):
            self._transport.abort()
            return
        left = CHECK_SECONDS
        if self._state not in ("answering", "closed"):
            left = self._deadline - now
            if left <= 0:
                self._time_out()
                left = CHECK_SECONDS
        self._timer = self.loop.call_later(min(left, CHECK_SECONDS), self._look)

    def _time_out(self) -> None:
        if self._state == "idle":
            self._close()
        elif self._state == "lingering":
            self._transport.abort()
        else:
            self._note_incomplete()
            self._refuse(TIMED_OUT)

    def resume_reading(self) -> None:
        if self._is_paused:
            self._is_paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()

    def _pause_reading(self) -> None:
        if not self._is_paused and not self._transport.is_closing():
            self._is_paused = True
            self._transport.pause_reading()

    # What it refuses.

    @property
    def default_headers(self) -> Headers:
        headers: Headers = self._server_state.default_headers
        return headers

    def _refuse(self, answer: Answer) -> None:
        """Answer a request that was not read to its end, and end the connection."""
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.disconnect()
            if exchange.has_begun:
                self._close()
                return
        self._server_state.total_requests += 1
        has_body = self._head is None or self._head.method != "HEAD"
        headers = [*self.default_headers]
        if self._head is not None and not self._inbound.is_here(self._head.path):
            headers.append(make_id_header(self._head.headers))
        self.write(answer.write(headers, closes=True, with_body=has_body))
        self._linger()

    def _refuse_long_head(self) -> None:
        path, query = split_line(self._buffer)
        if len(path) + len(query) < MAX_HEAD_BYTES // 2:
            if self._inbound.is_here(path):
                self._inbound.note_lost((), self._client, "unreadable")
            self._refuse(LONG_HEADERS)
        elif self._inbound.is_here(path):
            self._refuse(self._inbound.refuse_too_large((), self._client))
        else:
            self._refuse(LONG_URL)

    def _refuse_bad(self, error: BadRequest) -> None:
        if self._state == "body":
            self._note_incomplete()
        elif not error.path or self._inbound.is_here(error.path):
            self._inbound.note_lost((), self._client, "unreadable")
        self._refuse(make_answer(error.status, f"Bad request: {error}\n", closes=True))

    def _end_incomplete(self) -> None:
        """The caller has closed its side, and no complete request is left."""
        if self._state == "idle" and not self._buffer:
            self._close()
        elif not self._output.is_blocked:
            self._note_incomplete()
            self._refuse(INCOMPLETE)

    def _note_incomplete(self) -> None:
        """Record a refusal if this is, or may be, a forward.

        If it goes through ASGI, the endpoint does that.
        """
        if self._state == "head":
            if self._inbound.is_here(split_line(self._buffer)[0]):
                self._inbound.note_lost((), self._client, "incomplete")
        elif self._exchange is None and self._head is not None:
            self._inbound.note_lost(self._head.headers, self._client, "incomplete")

    # How it ends.

    @property
    def _has_leftover(self) -> bool:
        """Whether bytes that are no request follow the current one."""
        has_ended = self._has_ended or self._has_waited
        return bool(self._buffer) and is_leftover(
            self._buffer[:MAX_WORD_BYTES], has_ended=has_ended
        )

    def _is_reusable(self, head: Head) -> bool:
        """Whether another request may follow this one.

        Leftover bytes end the connection with this answer. If they got one of their own, a client
        that keeps its connections might take it for the answer to its next forward.
        """
        if self._has_leftover:
            self._inbound.note_lost(head.headers, self._client, "unreadable")
            return False
        return head.keeps_alive and not self._is_last

    def _finish(self) -> None:
        """The last answer is written."""
        if self._state == "answering" and not self._buffer:
            self._close()
        else:
            self._linger()

    def _linger(self) -> None:
        """Close our side, and go on reading for a while."""
        if self._has_ended or self._transport.is_closing():
            self._close()
            return
        self._wire_bytes = len(self._buffer)
        self._buffer = b""
        self._received = bytearray()
        self._wait("lingering", LINGER_SECONDS)
        self._transport.write_eof()
        self.resume_reading()

    def _discard(self, data: bytes) -> None:
        """While lingering."""
        self._wire_bytes += len(data)
        if self._wire_bytes > MAX_LINGER_BYTES:
            self._transport.abort()

    def _close(self) -> None:
        """Close after sending what was written, unless the caller does not read it (`_look`)."""
        self._state = "closed"
        self._buffer = b""
        self._connections.engage(self)
        self._transport.close()

    def reset(self) -> None:
        """End at once, in a way that the caller takes for a failure."""
        socket = self._transport.get_extra_info("socket")
        if socket is not None:
            socket.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        self._close()
        self._transport.abort()


def _find_local(transport: asyncio.Transport) -> tuple[str, int] | None:
    """Whoever calls through a Unix socket is on this machine."""
    socket = transport.get_extra_info("socket")
    is_local = socket is not None and socket.family == AF_UNIX
    return ("127.0.0.1", 0) if is_local else None
