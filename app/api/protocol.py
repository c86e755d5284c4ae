"""uvicorn's HTTP protocol with bounds on what comes before a request's body."""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 80 * 1024
HEAD_TIMEOUT_SECONDS = 10.0

INBOUND = b"/inbound"
# What httptools takes of an address, without the path: 64 KiB but for ten bytes.
MAX_QUERY_BYTES = 0xFFFF - len(b"/inbound?")
# In the scope where the query was over the limit and is gone.
CUT_QUERY = "letterbox.cut_query"


class BoundedHttpToolsProtocol(HttpToolsProtocol):
    """Closes a connection whose request line and headers are too long or too slow.

    Without it a URL of 200 MB takes 260 MB of memory and a minute of the event loop.
    """

    _head_bytes = 0
    _in_head = True
    _head_since = 0.0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head_since = self.loop.time()
        self._check_head()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
                self.send_400_response("The head of the request is too long.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._head_since = self.loop.time()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._head_bytes = 0
        path, _, query = self.url.partition(b"?")
        if path == INBOUND and len(query) > MAX_QUERY_BYTES:
            # The parser takes no address as long as that; the endpoint answers and counts it.
            self.url = path
            self.scope[CUT_QUERY] = True  # type: ignore[literal-required]
        super().on_headers_complete()

    def _check_head(self) -> None:
        """Look now and then, once for many requests: a timer a request would cost more."""
        if self._in_head and self.loop.time() - self._head_since >= HEAD_TIMEOUT_SECONDS:
            self.transport.close()
        else:
            self._timer = self.loop.call_later(HEAD_TIMEOUT_SECONDS / 2, self._check_head)
