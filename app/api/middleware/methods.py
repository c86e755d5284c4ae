"""What every path answers besides its own methods: HEAD wherever GET is, OPTIONS, and 405."""

from collections.abc import Callable, Sequence
from http import HTTPStatus

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")


class Methods:
    """Answers OPTIONS by itself and HEAD as GET without the body; completes Allow where it is 405.

    `list_routes` gives the application's routes, since those of a framework may come later.
    """

    def __init__(self, app: ASGIApp, list_routes: Callable[[], Sequence[BaseRoute]]) -> None:
        self._app = app
        self._list_routes = list_routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["method"] == "OPTIONS" and (allowed := self._find_allowed(scope)):
            answer = Response(status_code=204, headers={"Allow": allowed})
            await answer(scope, receive, send)
        elif scope["method"] == "HEAD" and not self._has_route(scope):
            head = _Head(receive, send)
            await self._app({**scope, "method": "GET"}, head.receive, self._complete(scope, head))
        else:
            await self._app(scope, receive, self._complete(scope, send))

    def _complete(self, scope: Scope, send: Send) -> Send:
        async def complete(message: Message) -> None:
            if message.get("status") == HTTPStatus.METHOD_NOT_ALLOWED:
                # A router names the methods of one route alone.
                MutableHeaders(scope=message)["Allow"] = self._find_allowed(scope)
            await send(message)

        return complete

    def _find_allowed(self, scope: Scope) -> str:
        """The methods of a path, as the header Allow lists them; "" if there is no such path."""
        if scope["path"] == "*":  # the server as a whole
            return ", ".join(sorted([*_METHODS, "HEAD", "OPTIONS"]))
        found = {method for method in _METHODS if self._has_route({**scope, "method": method})}
        if not found:
            return ""
        return ", ".join(sorted(found | {"OPTIONS"} | ({"HEAD"} if "GET" in found else set())))

    def _has_route(self, scope: Scope) -> bool:
        return any(route.matches(scope)[0] == Match.FULL for route in self._list_routes())


class _Head:
    """Ends an answer after its headers, also one that would go on for long."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._has_ended = False

    async def receive(self) -> Message:
        return {"type": "http.disconnect"} if self._has_ended else await self._receive()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and not self._has_ended:
            self._has_ended = True
            await self._send(message)
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
