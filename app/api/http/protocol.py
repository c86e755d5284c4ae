"""HTTP/1 on a caller's connection: reads every request and answers in order."""

import asyncio
from typing import Any
from urllib.parse import unquote_to_bytes

from uvicorn.protocols.utils import get_local_addr

from app.api.http.answers import BUSY, Answer
from app.api.http.bounded_connection import MAX_HEAD_BYTES
from app.api.http.exchange import Exchange
from app.api.http.forward_connection import READ_TIMEOUT_SECONDS, ForwardConnection
from app.api.http.request_head import (
    BadRequest,
    Head,
    check_host,
    find_head,
    make_scope,
    read_head,
)
from app.api.middleware.request_ids import make_id_header
from app.api.operations.probes import PATHS as PROBES
from app.api.operations.probes import Probes
from app.provider.forwards.glance import seems_forward

# What a request that is no forward may be on the wire after its head.
MAX_WIRE_BYTES = 8 * 1024 * 1024
# How much is read ahead from a caller who still has to be answered or to read the answers.
MAX_AHEAD_BYTES = 64 * 1024
# After an answered probe, before the next request on the same connection.
PROBE_PAUSE_SECONDS = 0.05
# For the body of any other request: so that no connection waits for ever.
BODY_TIMEOUT_SECONDS = 60.0


class HttpProtocol(ForwardConnection):
    """HTTP/1 for uvicorn's server, instead of its own protocols.

    A forward goes to `app.inbound` without a scope, a task or ASGI messages, which together cost as
    much as storing it; everything else goes to the application. Each request is answered before the
    next is read, so answers are in order and nothing after a forward can affect it. Upgrades to
    another protocol are not offered, so a request for one is read like any other.

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
        self.app = config.loaded_app
        super().__init__(
            _loop or asyncio.get_running_loop(),
            self.app.connections,
            self.app.inbound,
            server_state,
            config.timeout_keep_alive,
        )
        self._probes: Probes = self.app.probes
        self._app_state = app_state
        # How far the head was looked through.
        self._looked_at = 0
        self._is_advancing = False

    # Called by the transport.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        if not self._begin(transport):
            self._refuse(BUSY)

    def data_received(self, data: bytes) -> None:
        if self._state == "lingering":
            self._discard(data)
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
            self._refuse_unclear(head, error)
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
        line.enter(lambda: exchange.start(self.app, line, self._server_state.tasks))

    def _refuse_unclear(self, head: Head, error: BadRequest) -> None:
        """Of a URL with spaces as they are, /inbound would have taken the text."""
        url = b"%b?%b" % (unquote_to_bytes(head.path), head.query)
        if seems_forward(url):
            self._refuse(self._inbound.note_misdirected(head.headers, self._client, url))
        else:
            self._refuse_bad(error)

    def _answer_probe(self, head: Head, answer: Answer) -> None:
        self._state = "answering"
        keeps_alive = self.begin_answer()
        headers = [*self.default_headers, make_id_header(head.headers)]
        self.write(answer.write(headers, closes=not keeps_alive))
        # Nobody who watches asks more often, and whoever floods must not keep the event loop busy.
        pause = PROBE_PAUSE_SECONDS if keeps_alive else 0
        self.loop.call_later(pause, lambda: self.end_answer(keeps_alive=keeps_alive))

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

    # Answering.

    # How fast the caller reads.

    def pause_writing(self) -> None:
        self._output.block()

    def resume_writing(self) -> None:
        self._output.unblock()
        if self._state == "idle":
            self._go_on()

    async def wait_until_writable(self) -> None:
        await self._output.wait_until_writable()

    # Called by an exchange, besides `write`, `default_headers`, `resume_reading` and `reset`.

    def begin_answer(self) -> bool:
        # If the body has not fully arrived, it would have to be read to its end first.
        has_arrived = self._state == "answering"
        return has_arrived and self._head is not None and self._is_reusable(self._head)

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
