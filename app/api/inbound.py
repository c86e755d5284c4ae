"""The forwarding target: one ASGI callable ahead of the framework, whose stack costs more than
all the work."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

import structlog

from app.api.addresses import CallerFinder, Network
from app.api.protocol import CUT_QUERY
from app.domain.errors import Unavailable
from app.flows.notices import Notices
from app.flows.receive import Receipt, Receiver

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

PATH = "/inbound"
MAX_BYTES = 64 * 1024
BODY_TIMEOUT_SECONDS = 10.0
RETRY_AFTER_SECONDS = 30

log = structlog.get_logger("letterbox.inbound")


class _TooLargeError(Exception):
    """Query or body is over the limit."""


class _Gone(Exception):
    """The caller hung up or stopped sending before the body's end."""


class InboundEndpoint:
    """Answers 200 `OK` once the message is durable; the other answers are in the contract."""

    def __init__(
        self, receiver: Receiver, notices: Notices, trusted_proxies: Sequence[Network]
    ) -> None:
        self._receiver = receiver
        self._notices = notices
        self._callers = CallerFinder(trusted_proxies)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        try:
            start, body = await self._answer(scope, receive)
        except _Gone:
            start, body = _TIMED_OUT
        await send(start)
        await send(body)

    async def _answer(self, scope: Message, receive: Receive) -> tuple[Message, Message]:
        method = scope["method"]
        if method not in {"GET", "POST"}:
            return _WRONG_METHOD
        address = self._callers.find(scope)
        try:
            query = scope["query_string"]
            if CUT_QUERY in scope or len(query) > MAX_BYTES:
                raise _TooLargeError
            content_type, body = b"", b""
            if method == "POST":
                content_type = _find_content_type(scope)
                body = await _read_body(scope, receive)
            receipt = await self._receiver.receive(method, query, content_type, body, address)
        except _TooLargeError:
            self._notices.on_too_large(address)
            return _TOO_LARGE
        except Unavailable as error:
            self._notices.on_turned_away(address, "", "unavailable")
            log.error("not_acknowledged", error=str(error))
            return _UNAVAILABLE
        return _OK if receipt is Receipt.KEPT else _TURNED_AWAY


def _find_content_type(scope: Message) -> bytes:
    for name, value in scope["headers"]:
        if name == b"content-type":
            return bytes(value)
    return b""


async def _read_body(scope: Message, receive: Receive) -> bytes:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value) > MAX_BYTES:
            raise _TooLargeError
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_TIMEOUT_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise _Gone
                chunk = message.get("body", b"")
                size += len(chunk)
                if size > MAX_BYTES:
                    raise _TooLargeError
                chunks.append(chunk)
                if not message.get("more_body", False):
                    return b"".join(chunks)
    except TimeoutError:
        raise _Gone from None


def _make_answer(
    status: int, text: bytes, *headers: tuple[bytes, bytes]
) -> tuple[Message, Message]:
    start: Message = {
        "type": "http.response.start",
        "status": status,
        "headers": [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", b"%d" % len(text)),
            *headers,
        ],
    }
    return start, {"type": "http.response.body", "body": text}


_CLOSE = (b"connection", b"close")
_OK = _make_answer(200, b"OK")
_TURNED_AWAY = _make_answer(403, b"Forbidden: check the auth value in the provider's settings\n")
_WRONG_METHOD = _make_answer(405, b"Use GET or POST\n", (b"allow", b"GET, POST"), _CLOSE)
_TIMED_OUT = _make_answer(408, b"The body did not arrive in time\n", _CLOSE)
_TOO_LARGE = _make_answer(413, b"At most 64 KiB\n", _CLOSE)
_UNAVAILABLE = _make_answer(
    503, b"Try again later\n", (b"retry-after", b"%d" % RETRY_AFTER_SECONDS)
)
