"""Forwards that come to a wrong path: their texts are lost unless somebody is told."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from app.api.http.exchange import LEAVE
from app.api.inbound.endpoint import InboundEndpoint, Message, Receive, Send, find_header
from app.provider.forwards.bodies import MAX_BYTES
from app.provider.forwards.glance import reveal, seems_forward

# For the body of a request that was refused: what belongs to a forward has arrived by then.
WAIT_SECONDS = 1.0
# What is answered before the body is read: no such path or method, no key, not a page's own form.
_UNREAD = frozenset({401, 403, 404, 405})


class Misdirected:
    """Finds the forwards among requests to other paths than /inbound, such as `/` or `/inbound2`.

    Whoever pastes a wrong URL into the provider's page gets no texts and sees no reason. Such a
    forward is answered 404 with a line that says where forwards go, and is listed in /refusals.
    """

    def __init__(self, inbound: InboundEndpoint) -> None:
        self._inbound = inbound

    async def call(
        self,
        app: Callable[[Message, Receive, Send], Awaitable[None]],
        scope: Message,
        receive: Receive,
        send: Send,
    ) -> None:
        """Have `app` answer, unless the request is a forward."""
        if scope["type"] == "http":
            await _Request(self._inbound, scope, receive, send).pass_on(app)
        else:
            await app(scope, receive, send)


class _Request:
    """A request whose body is looked into only if the application refuses it unread."""

    def __init__(
        self, inbound: InboundEndpoint, scope: Message, receive: Receive, send: Send
    ) -> None:
        self._inbound = inbound
        self._scope = scope
        # Without a `?` or with an escaped one, the parameters are in the path.
        query: bytes = scope["query_string"]
        self._url = scope["path"].encode("utf-8", "replace") + (b"?" + query if query else b"")
        self._receive = receive
        self._send = send
        self._is_read = False
        self._is_answered = False

    async def pass_on(self, app: Callable[[Message, Receive, Send], Awaitable[None]]) -> None:
        if seems_forward(self._url):
            await self._inbound.misdirect(self._scope, self._url, b"", self._send)
        else:
            await app(self._scope, self._note_read, self._filter)

    async def _note_read(self) -> Message:
        self._is_read = True
        return await self._receive()

    async def _filter(self, message: Message) -> None:
        if message.get("status") in _UNREAD and not self._is_read:
            body = await self._peek()
            if seems_forward(self._url, body):
                self._is_answered = True
                await self._inbound.misdirect(self._scope, self._url, body, self._send)
        if not self._is_answered:
            await self._send(message)

    async def _peek(self) -> bytes:
        """What has arrived of the body, and what does so at once."""
        # Strangers may send none: nobody shall wait for that.
        self._scope.get(LEAVE, lambda: None)()
        body = b""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WAIT_SECONDS):
                while len(body) < MAX_BYTES:
                    message = await self._receive()
                    body += message.get("body", b"")
                    if not message.get("more_body", False):
                        break
        coding = find_header(self._scope["headers"], b"content-encoding")
        return reveal(body, coding) if body else body
