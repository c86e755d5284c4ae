"""Our own access log, without query strings and headers, and the last net under every request."""

import re
from collections.abc import Callable
from time import perf_counter
from urllib.parse import quote, unquote

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.core.errors import make_problem_for

QUIET_PATHS = frozenset({"/livez", "/readyz", "/metrics"})
# A stranger's path may be 64 KB long.
MAX_PATH = 200
# An auth value that somebody has put into a path, in whatever way, and all behind it.
_AUTH = re.compile(r"(auth)[^a-z].+", re.IGNORECASE | re.DOTALL)

log = structlog.get_logger("letterbox.api")


class AccessLog:
    """Logs one line a request; an error that nobody foresaw becomes a 500 that tells nothing."""

    def __init__(self, app: ASGIApp, *, clock: Callable[[], float] = perf_counter) -> None:
        self._app = app
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = self._clock()
        status = 0

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, note_status)
        except Exception as error:  # noqa: BLE001 it is logged there
            answer = make_problem_for(error)
            if status:  # too late for an answer: the connection breaks, so that nobody is misled
                raise ConnectionAbortedError("the answer could not be finished") from None
            await answer(scope, receive, note_status)
        finally:
            write = log.debug if scope["path"] in QUIET_PATHS else log.info
            milliseconds = round((self._clock() - began) * 1000, 1)
            write(
                "request",
                method=scope["method"],
                path=show_path(scope["path"]),
                status=status,
                milliseconds=milliseconds,
            )


def show_path(path: str) -> str:
    """A path as it may stand in a log: short, and without the value of an `auth`."""
    # Who escapes a URL once more escapes its parameters, too.
    plain = unquote(unquote(path))
    shown = _AUTH.sub(r"\1=redacted", plain if _AUTH.search(plain) else path)
    # Quoted, because terminals obey some characters.
    return quote(shown[:MAX_PATH], errors="replace")
