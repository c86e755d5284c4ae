"""The forwarding target: what a forward is answered, over uvicorn's protocol or over ASGI."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from app.domain.addresses import CallerFinder, Headers, Network
from app.domain.errors import AccessDenied, LetterboxError, TooLarge
from app.flows.notices import Notices
from app.flows.receive import Receiver

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

PATH = "/inbound"
MAX_BYTES = 64 * 1024
BODY_TIMEOUT_SECONDS = 10.0
RETRY_AFTER_SECONDS = 30
# In the scope where the query was over the limit and is gone.
CUT_QUERY = "letterbox.cut_query"

log = structlog.get_logger("letterbox.inbound")


@dataclass(frozen=True, eq=False, slots=True)
class Answer:
    """A whole response; after one with `closes` the connection ends."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    closes: bool = False


def _make_answer(
    status: int, text: bytes, *headers: tuple[bytes, bytes], closes: bool = False
) -> Answer:
    """`closes` where the request was not read to its end."""
    usual = (
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(text)),
    )
    closing = ((b"connection", b"close"),) if closes else ()
    return Answer(status, (*usual, *headers, *closing), text, closes)


OK = _make_answer(200, b"OK")
TURNED_AWAY = _make_answer(403, b"Forbidden: check the auth value in the provider's settings\n")
WRONG_METHOD = _make_answer(405, b"Use GET or POST\n", (b"allow", b"GET, POST"), closes=True)
TIMED_OUT = _make_answer(408, b"The body did not arrive in time\n", closes=True)
TOO_LARGE = _make_answer(413, b"At most 64 KiB\n", closes=True)
UNAVAILABLE = _make_answer(503, b"Try again later\n", (b"retry-after", b"%d" % RETRY_AFTER_SECONDS))


class _TooLargeError(Exception):
    """Query or body is over the limit."""


class _Gone(Exception):
    """The caller hung up or stopped sending before the body's end."""


class InboundEndpoint:
    """Answers 200 `OK` once the message is durable; the other answers are in the contract.

    `take` serves uvicorn's protocol (api/protocol.py) without a task or a scope; called as an ASGI
    application it serves what that leaves aside, and any other server.
    """

    def __init__(
        self, receiver: Receiver, notices: Notices, trusted_proxies: Sequence[Network]
    ) -> None:
        self._receiver = receiver
        self._notices = notices
        self._callers = CallerFinder(trusted_proxies)

    def take(
        self,
        method: str,
        query: bytes,
        headers: Headers,
        client: tuple[str, int] | None,
        body: bytes,
        reply: Callable[[Answer], None],
    ) -> None:
        """Take a request whose size is within the limits; `reply` is called once, now or later.

        The names of `headers` are in lower case.
        """
        address = self._callers.find(client, headers)

        def answer(error: LetterboxError | None) -> None:
            reply(OK if error is None else self._answer_failure(error, address))

        content_type = coding = b""
        if body or method != "GET":
            content_type = find_header(headers, b"content-type")
            coding = find_header(headers, b"content-encoding")
        self._receiver.take(method, query, content_type, body, address, answer, coding=coding)

    def refuse_too_large(self, headers: Headers, client: tuple[str, int] | None) -> Answer:
        """The answer to what is over the limit: the sole content ever refused, so it is counted."""
        self._notices.on_too_large(self._callers.find(client, headers))
        return TOO_LARGE

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        answer = await self._answer(scope, receive)
        headers = list(answer.headers)
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, scope: Message, receive: Receive) -> Answer:
        method, query, headers = scope["method"], scope["query_string"], scope["headers"]
        if method not in {"GET", "POST"}:
            return WRONG_METHOD
        try:
            if CUT_QUERY in scope or len(query) > MAX_BYTES:
                raise _TooLargeError
            body = await _read_body(headers, receive) if method == "POST" else b""
        except _TooLargeError:
            return self.refuse_too_large(headers, scope.get("client"))
        except _Gone:
            return TIMED_OUT
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def reply(answer: Answer) -> None:
            if not answered.done():
                answered.set_result(answer)

        self.take(method, query, headers, scope.get("client"), body, reply)
        return await answered

    def _answer_failure(self, error: LetterboxError, address: str) -> Answer:
        if isinstance(error, AccessDenied):
            return TURNED_AWAY
        if isinstance(error, TooLarge):
            self._notices.on_too_large(address)
            return TOO_LARGE
        self._notices.on_turned_away(address, "", "unavailable")
        log.error("not_acknowledged", error=str(error))
        return UNAVAILABLE


def find_header(headers: Headers, wanted: bytes) -> bytes:
    """The first value of a header, b"" where there is none."""
    for name, value in headers:
        if name == wanted:
            return value
    return b""


def announces_too_much(headers: Headers) -> bool:
    """Whether the body's announced length is over the limit."""
    length = find_header(headers, b"content-length")
    return length.isdigit() and int(length) > MAX_BYTES


async def _read_body(headers: Headers, receive: Receive) -> bytes:
    if announces_too_much(headers):
        raise _TooLargeError
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise _Gone
                body += message.get("body", b"")
                if len(body) > MAX_BYTES:
                    raise _TooLargeError
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError:
        raise _Gone from None
