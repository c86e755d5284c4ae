"""uvicorn's HTTP protocol with bounds on what comes in, and a short way for /inbound."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from app.api.inbound import (
    CUT_QUERY,
    MAX_BYTES,
    PATH,
    TIMED_OUT,
    Answer,
    InboundEndpoint,
    announces_too_much,
)

MAX_HEAD_BYTES = 80 * 1024
# What a request may be on the wire after its head: a body in the smallest chunks is several times
# its size, and what stands between and behind them (extensions, trailers) nobody else bounds.
MAX_FORWARD_BYTES = 1024 * 1024
MAX_WIRE_BYTES = 8 * 1024 * 1024
# For the head of any request, and for the whole of a forward.
READ_TIMEOUT_SECONDS = 10.0
# For the body of any other request: whoever stops in the middle holds no connection for ever.
BODY_TIMEOUT_SECONDS = 60.0
CHECK_SECONDS = 5.0

INBOUND = PATH.encode()
# What httptools takes of an address, without the path: 64 KiB but for ten bytes.
MAX_QUERY_BYTES = 0xFFFF - len(b"/inbound?")

_METHODS = {b"GET": "GET", b"POST": "POST"}


class _Forward:
    """A forward that is being read or answered, in the place of uvicorn's cycle of a request.

    uvicorn looks at the attributes to tell whether the next request of the connection must wait,
    and clears `keep_alive` where the connection has to end after the answer.
    """

    __slots__ = ("body", "disconnected", "keep_alive", "method", "query", "response_complete")

    def __init__(self, method: str, query: bytes, *, keep_alive: bool) -> None:
        self.method = method
        self.query = query
        self.body = b""
        self.keep_alive = keep_alive
        self.response_complete = False
        self.disconnected = False

    @property
    def message_event(self) -> "_Forward":
        return self

    def set(self) -> None:
        """Nobody waits for the body: it is taken when it is complete."""


class BoundedHttpToolsProtocol(HttpToolsProtocol):
    """Closes a connection whose request line and headers are too long or too slow.

    Without it a URL of 200 MB takes 260 MB of memory and a minute of the event loop, and so do
    trailers behind a body in chunks.

    A forward goes to `app.inbound`, where the application has one, without a scope, a task or ASGI
    messages, which together cost as much as storing it. What is rare goes uvicorn's way: a request
    behind another on its connection, other methods, upgrades, `Expect`.
    """

    _head_bytes = 0
    # What came of a request after its head.
    _wire_bytes = 0
    # Whether a request is on its way, and since when.
    _is_reading = True
    _reading_since = 0.0
    # Since when the body of another request is on its way.
    _body_since: float | None = None
    # Since when a forward's answer is the last that happened.
    _idle_since: float | None = None
    _timer: asyncio.TimerHandle | None = None
    _forward: _Forward | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._inbound: InboundEndpoint | None = getattr(self.app, "inbound", None)
        self._ready: dict[Answer, bytes] = {}
        self._ready_for: object = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._reading_since = self.loop.time()
        self._check_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.transport.is_closing():
            return
        if not self._is_reading:
            self._wire_bytes += len(data)
            if self._wire_bytes > MAX_WIRE_BYTES:
                self.transport.close()
        elif self._forward is not None:
            self._wire_bytes += len(data)
            if self._wire_bytes > MAX_FORWARD_BYTES:
                self._refuse_too_large(self._forward)
        else:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self.send_400_response("The head of the request is too long.")

    def on_message_begin(self) -> None:
        # uvicorn would build the scope here, which a forward has no use for.
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._is_reading = True
        self._reading_since = self.loop.time()
        self._idle_since = None

    def on_headers_complete(self) -> None:
        self._head_bytes = self._wire_bytes = 0
        path, _, query = self.url.partition(b"?")
        if path == INBOUND and self._can_take(query):
            self._begin_forward(query)
            return
        self._is_reading = False
        self._body_since = self.loop.time()
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers += headers
        if path == INBOUND and len(query) > MAX_QUERY_BYTES:
            # The parser takes no address as long as that; the endpoint answers and counts it.
            self.url = path
            self.scope[CUT_QUERY] = True  # type: ignore[literal-required]
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        forward = self._forward
        if forward is None:
            super().on_body(body)
        elif not forward.response_complete:
            forward.body += body
            if len(forward.body) > MAX_BYTES:
                self._refuse_too_large(forward)

    def on_message_complete(self) -> None:
        forward, self._forward = self._forward, None
        if forward is None:
            self._body_since = None
            super().on_message_complete()
            return
        self._is_reading = False
        if self._inbound is not None and not forward.response_complete:
            self._inbound.take(
                forward.method,
                forward.query,
                self.headers,
                self.client,
                forward.body,
                lambda answer: self._reply(forward, answer),
            )

    def _can_take(self, query: bytes) -> bool:
        return (
            self._inbound is not None
            and len(query) <= MAX_QUERY_BYTES
            # None before the first request, whatever its type says.
            and (self.cycle is None or self.cycle.response_complete)  # type: ignore[redundant-expr]
            and not self.expect_100_continue
            and self.parser.get_method() in _METHODS
            and not self.parser.should_upgrade()
        )

    def _begin_forward(self, query: bytes) -> None:
        method = _METHODS[self.parser.get_method()]
        keeps = self.parser.get_http_version() != "1.0" and self.parser.should_keep_alive()
        forward = self._forward = _Forward(method, query, keep_alive=keeps)
        self.cycle = forward  # type: ignore[assignment]
        if method == "POST" and announces_too_much(self.headers):
            self._refuse_too_large(forward)

    def _refuse_too_large(self, forward: _Forward) -> None:
        if self._inbound is not None:
            self._reply(forward, self._inbound.refuse_too_large(self.headers, self.client))

    def _reply(self, forward: _Forward, answer: Answer) -> None:
        """Write the answer, unless the caller has gone or was told that it is too late."""
        if forward.response_complete:
            return
        forward.response_complete = True
        if self.transport.is_closing():
            return
        if forward.keep_alive:
            self.transport.write(self._prepare(answer))
        else:
            self.transport.write(_write_answer(answer, self.server_state.default_headers, b"close"))
        if answer.closes or not forward.keep_alive:
            self.transport.close()
        if self.pipeline:
            self.on_response_complete()
        else:
            # As there, but for its timer: the look now and then ends an idle connection, too.
            self.server_state.total_requests += 1
            self._idle_since = self.loop.time()

    def _prepare(self, answer: Answer) -> bytes:
        """The bytes of an answer, made anew when uvicorn's clock brings another date."""
        defaults = self.server_state.default_headers
        if self._ready_for is not defaults:
            self._ready_for = defaults
            self._ready.clear()
        ready = self._ready.get(answer)
        if ready is None:
            ready = self._ready[answer] = _write_answer(answer, defaults, b"")
        return ready

    def _check_reading(self) -> None:
        """Look now and then, once for many requests: a timer a request would cost more."""
        now = self.loop.time()
        left = CHECK_SECONDS
        if self._is_reading:
            left = self._reading_since + READ_TIMEOUT_SECONDS - now
            if left <= 0 and self._forward is not None:
                self._reply(self._forward, TIMED_OUT)
        elif self._body_since is not None:
            left = self._body_since + BODY_TIMEOUT_SECONDS - now
        elif self._idle_since is not None:
            left = self._idle_since + self.timeout_keep_alive - now
        if left <= 0:
            self.transport.close()
        else:
            self._timer = self.loop.call_later(min(left, CHECK_SECONDS), self._check_reading)


def _write_answer(answer: Answer, defaults: list[tuple[bytes, bytes]], connection: bytes) -> bytes:
    headers = [*defaults, *answer.headers]
    if connection and not answer.closes:
        headers.append((b"connection", connection))
    lines = [b"%s: %s\r\n" % header for header in headers]
    return b"".join([STATUS_LINE[answer.status], *lines, b"\r\n", answer.body])
