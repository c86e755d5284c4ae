"""A caller's connection: reads every request and answers in order."""

import asyncio
import struct
from socket import AF_UNIX, SO_LINGER, SOL_SOCKET
from typing import TYPE_CHECKING, Any, Literal

from uvicorn.protocols.utils import get_local_addr, get_remote_addr

from app.api.http.answers import (
    BUSY,
    INCOMPLETE,
    LONG_HEADERS,
    LONG_URL,
    TIMED_OUT,
    Answer,
    Headers,
    make_answer,
)
from app.api.http.connections import COMPUTES_SECONDS, Connections, Turnstile
from app.api.http.exchange import Exchange
from app.api.http.output import Output
from app.api.http.request_body import BodyReader
from app.api.http.request_head import (
    BadRequest,
    Head,
    check_host,
    find_head,
    make_scope,
    may_begin_request,
    read_head,
    split_line,
)
from app.api.middleware.request_ids import make_id_header
from app.api.operations.probes import PATHS as PROBES
from app.api.operations.probes import Probes
from app.provider.forwards.bodies import MAX_BYTES

if TYPE_CHECKING:
    from app.api.inbound.endpoint import InboundEndpoint

MAX_HEAD_BYTES = 80 * 1024
# What a request may be on the wire after its head: a body in the smallest chunks is several times
# its size, and nobody else bounds what stands between and behind them (extensions, trailers).
MAX_FORWARD_BYTES = 1024 * 1024
MAX_WIRE_BYTES = 8 * 1024 * 1024
# How much is read ahead from a caller who still has to be answered or to read the answers.
MAX_AHEAD_BYTES = 64 * 1024
# After an answered probe, before the next request on the same connection.
PROBE_PAUSE_SECONDS = 0.05
# For the head of any request, and for the whole of a forward.
READ_TIMEOUT_SECONDS = 10.0
# For the body of any other request: so that no connection waits for ever.
BODY_TIMEOUT_SECONDS = 60.0
# A caller who is still sending sees an answer only if we go on reading for a while: closing at once
# resets the connection, and many programs then drop the answer.
LINGER_SECONDS = 30.0
MAX_LINGER_BYTES = 24 * 1024 * 1024
# For a request that is still arriving when the server stops, and for one that its caller sent, or
# is about to send, on a connection that looks idle.
SHUTDOWN_SECONDS = 2.0
SHUTDOWN_IDLE_SECONDS = 1.0
CHECK_SECONDS = 5.0

# `idle` between two requests; `head` and `body` when part of it has arrived (the application may
# already have begun to answer); `answering` a whole request; `lingering` after the last answer,
# discarding what the caller still sends.
State = Literal["idle", "head", "body", "answering", "lingering", "closed"]


class HttpProtocol(asyncio.Protocol):
    """HTTP/1 for uvicorn's server, instead of its own protocols.

    A forward goes to `app.inbound` without a scope, a task or ASGI messages, which together cost as
    much as storing it; everything else goes to the application. Each request is answered before the
    next is read, so answers are in order and nothing after a forward can affect it. Upgrades to
    another protocol are not offered, so a request for one is read like any other.

    Every state has an end: `_look` ends what takes too long, `Connections` closes the oldest if
    there are too many.

    `hands_over` False sends forwards through ASGI too: the tests compare the two ways.
    """

    hands_over = True

    def __init__(
        self,
        config: Any,
        server_state: Any,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        if not config.loaded:
            config.load()
        self.loop = _loop or asyncio.get_running_loop()
        self.app = config.loaded_app
        self._inbound: InboundEndpoint = self.app.inbound
        self._connections: Connections = self.app.connections
        self._probes: Probes = self.app.probes
        self._keep_alive_seconds: float = config.timeout_keep_alive
        self._server_state = server_state
        self._app_state = app_state
        # For `Connections`.
        self.waits_in: dict[Any, None] = {}
        self.is_trusted = False

        self._state: State = "idle"
        self._deadline = 0.0
        self._buffer = b""
        self._looked_at = 0
        self._head: Head | None = None
        self._body: BodyReader | None = None
        self._received = bytearray()
        self._wire_bytes = 0
        self._exchange: Exchange | None = None
        # No further request is accepted after the current one.
        self._is_last = False
        self._has_ended = False
        self._is_advancing = False
        self._is_paused = False

    # Called by the transport.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self._client = get_remote_addr(transport) or _find_local(transport)
        self._output = Output(transport, self.loop.time())
        self.write = self._output.write
        self._server_state.connections.add(self)
        has_room = self._connections.add(self)
        self._rest()
        self._look()
        if not has_room:
            self._refuse(BUSY)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._state = "closed"
        self._server_state.connections.discard(self)
        self._connections.discard(self)
        self._timer.cancel()
        if self._exchange is not None:
            self._exchange.disconnect()
        self._output.unblock()

    def data_received(self, data: bytes) -> None:
        if self._state == "lingering":
            self._wire_bytes += len(data)
            if self._wire_bytes > MAX_LINGER_BYTES:
                self._transport.abort()
            return
        self._buffer = self._buffer + data if self._buffer else data
        if self._state != "answering":
            self._advance()
        must_wait = self._state == "answering" or self._output.is_blocked
        if must_wait and len(self._buffer) > MAX_AHEAD_BYTES:
            self._pause_reading()

    def eof_received(self) -> bool:
        """True keeps our side open: the caller has sent everything and waits for its answer."""
        self._has_ended = True
        if self._state == "lingering":
            self._close()
        elif self._exchange is not None and self._exchange.is_stream:
            self._exchange.disconnect()
            self._close()
        else:
            self._advance()
        return True

    def pause_writing(self) -> None:
        self._output.block()

    def resume_writing(self) -> None:
        self._output.unblock()
        if self._state == "idle":
            self._go_on()

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

    # Reading.

    def _advance(self) -> None:
        """Read as far as the data that has arrived allows."""
        if self._is_advancing:
            return
        self._is_advancing = True
        while self._buffer and not self._output.is_blocked:
            if self._state == "body":
                self._take_body()
            elif self._state not in ("idle", "head") or not self._take_head():
                break
        self._is_advancing = False
        if self._has_ended and self._state in ("idle", "head", "body"):
            self._end_incomplete()

    def _take_head(self) -> bool:
        """Returns False if more data is needed."""
        try:
            if self._state == "idle" and self._buffer[0] in b"\r\n":
                # Some end a body with an empty line that its length does not count.
                self._buffer = self._buffer.lstrip(b"\r\n")
                if not self._buffer:
                    return False
            end, after = find_head(self._buffer, self._looked_at)
            if (len(self._buffer) if end < 0 else end) > MAX_HEAD_BYTES:
                self._refuse_long_head()
                return True
            if end < 0:
                self._wait_for_head()
                return False
            head = read_head(self._buffer[:end])
        except BadRequest as error:
            self._refuse_bad(error)
            return True
        self._connections.engage(self)
        self._looked_at = 0
        self._head = head
        newline = b"\n" if after - end == 2 else b"\r\n"
        self._buffer = self._buffer[after:]
        if self.hands_over and self._inbound.is_here(head.path):
            self._begin_forward(head, newline)
        else:
            self._begin_exchange(head, newline)
        return True

    def _wait_for_head(self) -> None:
        self._looked_at = len(self._buffer)
        if self._state == "idle" and self._buffer:
            self._wait("head", READ_TIMEOUT_SECONDS)

    def _begin_forward(self, head: Head, newline: bytes) -> None:
        refused = self._inbound.judge(
            head.method, head.query, head.length, head.headers, self._client
        )
        if refused is not None:
            self._refuse(refused)
        elif head.length is not None and len(self._buffer) >= head.length:
            body, self._buffer = self._buffer[: head.length], self._buffer[head.length :]
            self._take_forward(head, body)
        else:
            self._received = bytearray()
            self._wait_for_body(head, newline, READ_TIMEOUT_SECONDS)
            if head.expects_continue and not self._buffer:
                self.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _take_forward(self, head: Head, body: bytes) -> None:
        self._state = "answering"
        self._inbound.take(
            head.method,
            head.query,
            head.headers,
            self._client,
            body,
            lambda answer: self._answer_forward(head, answer),
            is_cut=bool(body and self._buffer and head.length)
            and not may_begin_request(self._buffer),
        )

    def _begin_exchange(self, head: Head, newline: bytes) -> None:
        try:
            is_forward = self._inbound.is_here(head.path)
            if not is_forward:
                check_host(head)
            answer = self._probes.find_answer(head, self._client) if self.hands_over else None
            if answer is not None:
                self._answer_probe(head, answer)
                return
            is_probe = head.path in PROBES
            line = self._connections.probing if is_probe else self._connections.turnstile
            if line.is_closed:
                self._refuse(BUSY)
                return
            scope = make_scope(head, keeps_odd_bytes=is_forward)
        except BadRequest as error:
            self._refuse_bad(error)
            return
        scope |= {
            "server": get_local_addr(self._transport),
            "client": self._client,
            "state": self._app_state.copy(),
        }
        exchange = self._exchange = Exchange(head, scope, self)
        if head.length == 0:
            self._state = "answering"
        else:
            self._wait_for_body(head, newline, BODY_TIMEOUT_SECONDS)
        line.enter(lambda: self._start(exchange, line))

    def _answer_probe(self, head: Head, answer: Answer) -> None:
        self._state = "answering"
        keeps_alive = self.begin_answer()
        headers = [*self.default_headers, make_id_header(head.headers)]
        self.write(answer.write(headers, closes=not keeps_alive))
        # Nobody who watches asks more often, and whoever floods must not keep the event loop busy.
        pause = PROBE_PAUSE_SECONDS if keeps_alive else 0
        self.loop.call_later(pause, lambda: self.end_answer(keeps_alive=keeps_alive))

    def _start(self, exchange: Exchange, line: Turnstile) -> bool:
        """It is the exchange's turn; returns False if nobody is waiting for it any more."""
        if exchange.is_disconnected:
            return False
        task = self.loop.create_task(exchange.run(self.app))
        leave = line.make_exit()
        self._server_state.tasks.add(task)
        task.add_done_callback(self._server_state.tasks.discard)
        task.add_done_callback(lambda _: leave())
        self.loop.call_later(COMPUTES_SECONDS, leave)
        return True

    def _wait_for_body(self, head: Head, newline: bytes, seconds: float) -> None:
        self._body = BodyReader(head.length, newline=newline)
        self._wire_bytes = 0
        if self._state == "head" and self._exchange is None:
            seconds = self._deadline - self.loop.time()
        self._wait("body", seconds)

    def _take_body(self) -> None:
        reader, exchange = self._body, self._exchange
        if reader is None:
            raise RuntimeError("there is no body to be read")
        data, self._buffer = self._buffer, b""
        try:
            body, self._buffer = reader.feed(data)
        except BadRequest as error:
            self._refuse_bad(error)
            return
        self._wire_bytes += len(data) - len(self._buffer)
        if exchange is None:
            self._take_forwards_body(body, is_complete=reader.is_complete)
        elif self._wire_bytes > MAX_WIRE_BYTES:
            self._close()
        else:
            exchange.feed(body, ends=reader.is_complete)
            if reader.is_complete:
                self._connections.engage(self)
                self._state = "answering"
            elif exchange.holds_much:
                self._pause_reading()

    def _take_forwards_body(self, body: bytes, *, is_complete: bool) -> None:
        if self._head is None:
            raise RuntimeError("there is no forward to be read")
        self._received += body
        if len(self._received) > MAX_BYTES or self._wire_bytes > MAX_FORWARD_BYTES:
            self._refuse(self._inbound.refuse_too_large(self._head.headers, self._client))
        elif is_complete:
            self._connections.engage(self)
            self._take_forward(self._head, bytes(self._received))

    # Answering.

    def _answer_forward(self, head: Head, answer: Answer) -> None:
        """Write it, unless the caller has gone or already has an answer."""
        if self._state != "answering" or self._head is not head:
            return
        self._server_state.total_requests += 1
        if answer.status == 200:
            self.is_trusted = True
        if head.keeps_alive and not (self._is_last or answer.closes):
            self.write(self._inbound.prepared.write(answer, self.default_headers))
            self._rest()
            if self._buffer or self._has_ended:
                self._go_on()
        else:
            self.write(answer.write(self.default_headers, closes=True))
            self._finish()

    def _go_on(self) -> None:
        """Read what has arrived in the meantime."""
        self.resume_reading()
        self._advance()

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

    def _note_incomplete(self) -> None:
        """Record a refusal if this is, or may be, a forward.

        If it goes through ASGI, the endpoint does that.
        """
        if self._state == "head":
            if self._inbound.is_here(split_line(self._buffer)[0]):
                self._inbound.note_lost((), self._client, "incomplete")
        elif self._exchange is None and self._head is not None:
            self._inbound.note_lost(self._head.headers, self._client, "incomplete")

    def _end_incomplete(self) -> None:
        """The caller has closed its side, and no complete request is left."""
        if self._state == "idle" and not self._buffer:
            self._close()
        elif not self._output.is_blocked:
            self._note_incomplete()
            self._refuse(INCOMPLETE)

    # Called by an exchange (api/http/exchange.py), besides `write`.

    @property
    def default_headers(self) -> Headers:
        headers: Headers = self._server_state.default_headers
        return headers

    async def wait_until_writable(self) -> None:
        await self._output.wait_until_writable()

    def resume_reading(self) -> None:
        if self._is_paused:
            self._is_paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()

    def begin_answer(self) -> bool:
        keeps = self._head is not None and self._head.keeps_alive and not self._is_last
        # If the body has not fully arrived, it would have to be read to its end first.
        return keeps and self._state == "answering"

    def end_answer(self, *, keeps_alive: bool) -> None:
        self._server_state.total_requests += 1
        self._exchange = None
        if self._state == "closed":
            return
        if keeps_alive and not self._is_last:
            self._rest()
            self._go_on()
        else:
            self._finish()

    def reset(self) -> None:
        socket = self._transport.get_extra_info("socket")
        if socket is not None:
            socket.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        self._close()
        self._transport.abort()

    # The end of a request and of the connection.

    def _wait(self, state: State, seconds: float) -> None:
        self._state = state
        if self._is_last:
            seconds = min(seconds, SHUTDOWN_SECONDS)
        self._deadline = self.loop.time() + seconds
        self._connections.wait(self, is_reading=state != "idle")

    def _rest(self) -> None:
        """The current request is answered: wait for the next."""
        self._head = self._body = None
        self._wait("idle", self._keep_alive_seconds)

    def _finish(self) -> None:
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

    def _close(self) -> None:
        """Close after sending what was written, unless the caller does not read it (`_look`)."""
        self._state = "closed"
        self._buffer = b""
        self._connections.engage(self)
        self._transport.close()

    def _pause_reading(self) -> None:
        if not self._is_paused and not self._transport.is_closing():
            self._is_paused = True
            self._transport.pause_reading()

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


def _find_local(transport: asyncio.Transport) -> tuple[str, int] | None:
    """Whoever calls through a Unix socket is on this machine."""
    socket = transport.get_extra_info("socket")
    is_local = socket is not None and socket.family == AF_UNIX
    return ("127.0.0.1", 0) if is_local else None
