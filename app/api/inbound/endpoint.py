"""The forwarding target: what a forward is answered, over uvicorn's protocol or over ASGI."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any
from urllib.parse import unquote_to_bytes

import structlog

from app.api.http.answers import (
    OK,
    TIMED_OUT,
    TOO_LARGE,
    UNAVAILABLE,
    WRONG_METHOD,
    Answer,
    PreparedAnswers,
    make_answer,
)
from app.api.http.request_head import is_path
from app.domain.access.addresses import CallerFinder, Headers, Network
from app.domain.errors import AccessDenied, LetterboxError, TooLarge
from app.flows.inbound.receive import MISSING_AUTH, Receiver
from app.flows.operations.deferred_writes import DeferredWrites
from app.provider.forwards.bodies import MAX_BYTES
from app.provider.forwards.glance import seems_forward

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

PATH = "/inbound"
INBOUND = PATH.encode()
BODY_TIMEOUT_SECONDS = 10.0

TURNED_AWAY = make_answer(403, "Forbidden: check the auth value in the provider's settings\n")
NO_AUTH = make_answer(
    403,
    "Forbidden: no auth value in the query or the body: set it in the provider's settings\n",
)
NO_FORWARDER = make_answer(403, "Forbidden: your address is not in LETTERBOX_FORWARDERS\n")
UNTRUSTED_PROXY = make_answer(
    403,
    "Forbidden: your address is not in LETTERBOX_FORWARDERS. The X-Forwarded-For or Forwarded"
    " header was ignored, because the proxy that sent it is not in LETTERBOX_TRUSTED_PROXIES\n",
)
WRONG_PATH = make_answer(
    404, "Not Found: forwards go to /inbound: correct the URL in the provider's settings\n"
)

log = structlog.get_logger("letterbox.inbound")


class _Gone(Exception):
    """The caller hung up or stopped sending before the body's end."""


class InboundEndpoint:
    """Answers 200 `OK` once the message is durable; docs/reference/rest.md lists the other answers.

    Our own protocol (api/http/protocol.py) calls `judge` and `take` directly, without a task or a
    scope. As an ASGI application it does the same under any other server.
    """

    def __init__(
        self,
        receiver: Receiver,
        deferred_writes: DeferredWrites,
        trusted_proxies: Sequence[Network],
        root_path: str = "",
    ) -> None:
        """`root_path` is PUBLIC_URL's: proxies may leave it on or take it off."""
        self._receiver = receiver
        self._deferred_writes = deferred_writes
        self._callers = CallerFinder(trusted_proxies, deferred_writes.on_unheeded)
        self.prepared = PreparedAnswers()
        self._below_root = f"{root_path}{PATH}".encode()
        self.is_here = self._is_here_or_below if root_path else is_inbound

    def _is_here_or_below(self, path: bytes) -> bool:
        below = self._below_root
        return path == below or is_inbound(path) or is_path(path, unquote_to_bytes(below).lower())

    def take(
        self,
        method: str,
        query: bytes,
        headers: Headers,
        client: tuple[str, int] | None,
        body: bytes,
        reply: Callable[[Answer], None],
        *,
        is_cut: bool = False,
    ) -> None:
        """Take a request within the size limits; `reply` is called once, now or later.

        The names of `headers` are in lower case. `is_cut` if the announced length was too short.
        """
        address = self._callers.find(client, headers)
        if not self._receiver.admits(address):
            is_unheeded = bool(self._callers.find_unheeded(client, headers))
            reason = "untrusted-proxy" if is_unheeded else "forwarder"
            self._receiver.turn_away(query, body, address, reason)
            reply(UNTRUSTED_PROXY if is_unheeded else NO_FORWARDER)
            return

        def answer(error: LetterboxError | None) -> None:
            reply(OK if error is None else self._answer_failure(error, address))

        content_type = coding = b""
        if body or method != "GET":
            for name, value in headers:
                if name == b"content-type":
                    content_type = content_type or value
                elif name == b"content-encoding":
                    coding = coding or value
        self._receiver.take(
            method, query, content_type, body, address, answer, coding=coding, is_cut=is_cut
        )

    def judge(
        self,
        method: str,
        query: bytes,
        length: int | None,
        headers: Headers,
        client: tuple[str, int] | None,
    ) -> Answer | None:
        """The answer if the request is refused before its body is read, else None.

        `length` is the body's; None if it is not announced.
        """
        if method not in {"GET", "POST"}:
            if length != 0 or seems_forward(query):
                self._receiver.turn_away(
                    query, b"", self._callers.find(client, headers), "wrong-method"
                )
            return WRONG_METHOD
        if len(query) > MAX_BYTES or (length or 0) > MAX_BYTES:
            return self.refuse_too_large(headers, client)
        return None

    def refuse_too_large(self, headers: Headers, client: tuple[str, int] | None) -> Answer:
        """The answer to what is over the limit: the sole content ever refused, so it is counted."""
        self._deferred_writes.on_too_large(self._callers.find(client, headers))
        return TOO_LARGE

    def note_lost(self, headers: Headers, client: tuple[str, int] | None, reason: str) -> None:
        """Record a request that could not be read or was incomplete."""
        self._deferred_writes.on_turned_away(self._callers.find(client, headers), "", reason)

    async def misdirect(self, scope: Message, url: bytes, body: bytes, send: Send) -> None:
        """Refuse a forward that came to another path."""
        answer = self.note_misdirected(scope["headers"], scope.get("client"), url, body)
        await _send_answer(answer, send)

    def note_misdirected(
        self, headers: Headers, client: tuple[str, int] | None, url: bytes, body: bytes = b""
    ) -> Answer:
        """The answer to a forward that came to another path; it is recorded."""
        self._receiver.turn_away(url, body, self._callers.find(client, headers), "wrong-path")
        return WRONG_PATH

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        await _send_answer(await self._answer(scope, receive), send)

    async def _answer(self, scope: Message, receive: Receive) -> Answer:
        method, query, headers = scope["method"], scope["query_string"], scope["headers"]
        client = scope.get("client")
        length = find_header(headers, b"content-length")
        unannounced = None if find_header(headers, b"transfer-encoding") else 0
        announced = int(length) if length.isdigit() else unannounced
        refused = self.judge(method, query, announced, headers, client)
        if refused is not None:
            return refused
        try:
            body = await _read_body(receive)
        except _Gone:
            self.note_lost(headers, client, "incomplete")
            return TIMED_OUT
        if body is None:
            return self.refuse_too_large(headers, client)
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def reply(answer: Answer) -> None:
            if not answered.done():
                answered.set_result(answer)

        self.take(method, query, headers, client, body, reply)
        return await answered

    def _answer_failure(self, error: LetterboxError, address: str) -> Answer:
        if isinstance(error, AccessDenied):
            return NO_AUTH if str(error) == MISSING_AUTH else TURNED_AWAY
        if isinstance(error, TooLarge):
            self._deferred_writes.on_too_large(address)
            return TOO_LARGE
        self._deferred_writes.on_turned_away(address, "", "unavailable")
        log.error("not_acknowledged", error=str(error))
        return UNAVAILABLE


def is_inbound(path: bytes) -> bool:
    """Whether a path means /inbound, however somebody typed it into the provider's page."""
    return path == INBOUND or is_path(path, INBOUND)


def find_header(headers: Headers, wanted: bytes) -> bytes:
    """The first value of a header, b"" where there is none."""
    for name, value in headers:
        if name == wanted:
            return value
    return b""


async def _send_answer(answer: Answer, send: Send) -> None:
    headers = list(answer.headers)
    if answer.closes:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


async def _read_body(receive: Receive) -> bytes | None:
    """The body; None if it is over the limit. Raises _Gone."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise _Gone
                body += message.get("body", b"")
                if len(body) > MAX_BYTES:
                    return None
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError:
        raise _Gone from None
