"""An id for every request, by which its answer, its problem and its log lines are found."""

import re
import secrets
from contextvars import ContextVar

import structlog
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "X-Request-Id"

# Whatever a proxy or a program makes, and nothing that a log or a header could be misled by.
_SANE = re.compile(rb"[A-Za-z0-9._:/+=@~-]{1,128}")
_ROOT = ContextVar("root", default="")
_NAME = HEADER.lower().encode()


def choose_request_id(headers: list[tuple[bytes, bytes]] | tuple[tuple[bytes, bytes], ...]) -> str:
    """The caller's id, if it sent one and that is sane; else a new one."""
    sent = [value for name, value in headers if name == _NAME]
    if len(sent) == 1 and _SANE.fullmatch(sent[0]):
        return sent[0].decode("ascii")
    return secrets.token_hex(12)


def make_id_header(headers: tuple[tuple[bytes, bytes], ...]) -> tuple[bytes, bytes]:
    """The same for an answer that the protocol gives itself."""
    return _NAME, choose_request_id(headers).encode()


def find_root() -> str:
    """The path of PUBLIC_URL for the request that is being answered; "" for none."""
    return _ROOT.get()


def find_request_id() -> str | None:
    """The id of the request that is being answered."""
    found: str | None = structlog.contextvars.get_contextvars().get("request_id")
    return found


class RequestIds:
    """Gives every request an id, and every answer a header with it.

    `root` is PUBLIC_URL's path, below which the pages of problems are.
    """

    def __init__(self, app: ASGIApp, *, root: str = "") -> None:
        self._app = app
        self._root = root

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = choose_request_id(scope["headers"])

        async def name_answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        _ROOT.set(self._root)
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            await self._app(scope, receive, name_answer)
