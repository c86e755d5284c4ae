"""One request that the application answers over ASGI, and its answer on the wire."""

import asyncio
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

import structlog

from app.api.http.answers import INTERNAL_ERROR, Headers, write_head
from app.api.http.connections import COMPUTES_SECONDS, Turnstile
from app.api.http.request_head import Head

Message = MutableMapping[str, Any]
Application = Callable[[Message, Callable[[], Any], Callable[[Message], Any]], Awaitable[None]]

# In the scope: to be called by who will not compute any more, however long the request goes on.
LEAVE = "letterbox.leave"
# Bytes of a body that the application has not asked for yet.
MAX_HELD_BYTES = 64 * 1024

_ODD_IN_NAME = re.compile(rb"[^!#$%&'*+.^_`|~0-9A-Za-z-]")
_ODD_IN_VALUE = re.compile(rb"[\0\r\n]")
# Headers that the connection sends itself.
_OURS = frozenset({b"connection", b"transfer-encoding", b"keep-alive"})
_WITHOUT_BODY = frozenset({204, 304})

log = structlog.get_logger("letterbox.api")


class Wire(Protocol):
    """What an exchange needs of the connection."""

    @property
    def write(self) -> Callable[[bytes], None]: ...

    async def wait_until_writable(self) -> None: ...

    def resume_reading(self) -> None: ...

    def begin_answer(self) -> bool:
        """Whether the connection can be reused after the answer that begins now."""

    def end_answer(self, *, keeps_alive: bool) -> None: ...

    def reset(self) -> None:
        """End the connection at once, in a way that the caller takes for a failure."""

    @property
    def default_headers(self) -> Headers: ...


class Exchange:
    """Gives the application its request, and writes the answer in the caller's version of HTTP."""

    def __init__(self, head: Head, scope: Message, wire: Wire) -> None:
        self._head = head
        self._scope = scope
        self._wire = wire
        self._body = bytearray()
        self._has_more = head.has_body
        self._arrived = asyncio.Event()
        self._owes_continue = head.expects_continue
        self._has_begun = False
        self._has_body = True
        self._is_chunked = False
        self._closes = False
        # Bytes left of the announced length; None if none was announced.
        self._left: int | None = None
        self.is_answered = False
        self.is_disconnected = False
        self.is_stream = False
        if not self._has_more:
            self._arrived.set()

    @property
    def has_begun(self) -> bool:
        return self._has_begun

    @property
    def holds_much(self) -> bool:
        return len(self._body) > MAX_HELD_BYTES

    def feed(self, body: bytes, *, ends: bool) -> None:
        """A part of the body has arrived."""
        self._body += body
        self._has_more = not ends
        self._arrived.set()

    def disconnect(self) -> None:
        """The caller has gone."""
        self.is_disconnected = True
        self._arrived.set()

    def start(self, app: Application, line: Turnstile, tasks: set[asyncio.Task[None]]) -> bool:
        """It is its turn in the line; returns False if nobody is waiting for it any more."""
        if self.is_disconnected:
            return False
        loop = asyncio.get_running_loop()
        leave = self._scope[LEAVE] = line.make_exit()
        task = loop.create_task(self.run(app))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        task.add_done_callback(lambda _: leave())
        loop.call_later(COMPUTES_SECONDS, leave)
        return True

    async def run(self, app: Application) -> None:
        """Run the application; the request gets an answer whatever it does."""
        try:
            await app(self._scope, self._receive, self._send)
        except ConnectionError:
            pass  # The access log has recorded why the answer could not be finished.
        except Exception:
            log.exception("not_answered")
        finally:
            self._end_early()

    def _end_early(self) -> None:
        """The application has returned: an answer that has not begun is a 500."""
        if self.is_answered or self.is_disconnected:
            return
        self.is_answered = True
        if not self._has_begun:
            self._wire.begin_answer()
            has_body = self._head.method != "HEAD"
            self._wire.write(INTERNAL_ERROR.write(self._wire.default_headers, with_body=has_body))
        elif not self._is_chunked and self._left is None and self._has_body:
            # This body ends with the connection: an orderly end would say that it is whole.
            self._wire.reset()
        self._wire.end_answer(keeps_alive=False)

    async def _receive(self) -> Message:
        if self._owes_continue and not self.is_disconnected and not self._has_begun:
            self._owes_continue = False
            if self._has_more and not self._body:
                self._wire.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if not self.is_disconnected and not self.is_answered:
            self._wire.resume_reading()
            await self._arrived.wait()
            self._arrived.clear()
        if self.is_disconnected or self.is_answered:
            return {"type": "http.disconnect"}
        body, self._body = bytes(self._body), bytearray()
        return {"type": "http.request", "body": body, "more_body": self._has_more}

    async def _send(self, message: Message) -> None:
        await self._wire.wait_until_writable()
        if self.is_disconnected:
            return
        kind = message["type"]
        if not self._has_begun and kind == "http.response.start":
            self._begin(message["status"], message.get("headers", ()))
        elif self._has_begun and not self.is_answered and kind == "http.response.body":
            self._go_on(message.get("body", b""), is_last=not message.get("more_body", False))
        else:
            raise RuntimeError(f"{kind} is not what comes next in an answer")

    def _begin(self, status: int, given: Headers) -> None:
        headers = [*self._wire.default_headers]
        closes = False
        for name, value in given:
            name = name.lower()  # noqa: PLW2901
            if _ODD_IN_NAME.search(name) or _ODD_IN_VALUE.search(value):
                raise RuntimeError("a header of the answer cannot be written")
            if name in _OURS:
                closes = closes or (name == b"connection" and b"close" in value.lower())
                continue
            if name == b"content-length":
                self._left = int(value)
            elif name == b"content-type":
                self.is_stream = value.startswith(b"text/event-stream")
            headers.append((name, value))
        has_body = self._head.method != "HEAD" and status not in _WITHOUT_BODY
        if not has_body:
            self._left = None
        elif self._left is None:
            self._is_chunked = self._head.minor > 0
            # For HTTP/1.0 the end of the connection is the end of the body.
            closes = closes or not self._is_chunked
        if not self._wire.begin_answer() or closes:
            headers.append((b"connection", b"close"))
            self._closes = True
        if self._is_chunked:
            headers.append((b"transfer-encoding", b"chunked"))
        self._has_begun = True
        self._has_body = has_body
        self._wire.write(write_head(status, headers))

    def _go_on(self, body: bytes, *, is_last: bool) -> None:
        if not self._has_body:
            body = b""
        if self._left is not None:
            self._left -= len(body)
            if self._left < 0 or (is_last and self._left):
                raise RuntimeError("the answer is not as long as it was announced")
        if self._is_chunked:
            if body:
                self._wire.write(b"%x\r\n" % len(body))
                self._wire.write(body)
                self._wire.write(b"\r\n")
            if is_last:
                self._wire.write(b"0\r\n\r\n")
        elif body:
            self._wire.write(body)
        if is_last:
            self.is_answered = True
            self._arrived.set()
            self._wire.end_answer(keeps_alive=not self._closes)
