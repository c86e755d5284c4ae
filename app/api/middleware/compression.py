"""Compresses answers of the REST interface for callers who ask for it.

No page is compressed: beside a secret of theirs, a stranger's text could be chosen so that the
length of the answer tells the secret (BREACH). Answers to POST, which may show a secret, are not
either. Forwards never come here.
"""

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Below that, it is not worth the time.
MIN_BYTES = 500
# Each step blocks the event loop: a faster level costs some bytes.
LEVEL = 4


class Compressed:
    """Lists and exports below a prefix in gzip; event streams and single resources stay as they
    are: a resource would need another ETag for each encoding.
    """

    def __init__(self, app: ASGIApp, *, prefix: str) -> None:
        self._app = app
        self._prefix = f"{prefix}/"
        self._gzip = GZipMiddleware(_Excepting(app), minimum_size=MIN_BYTES, compresslevel=LEVEL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def drop_mark(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-encoding") == "identity":
                    del headers["content-encoding"]
            await send(message)

        if (
            scope["type"] == "http"
            and scope["method"] == "GET"
            and scope["path"].startswith(self._prefix)
            and accepts_gzip(Headers(scope=scope))
        ):
            # The library looks for the word itself, in one line and in small letters.
            asking = {**scope, "headers": [(b"accept-encoding", b"gzip"), *scope["headers"]]}
            await self._gzip(asking, receive, drop_mark)
        else:
            await self._app(scope, receive, send)


class _Excepting:
    """Marks what has an ETag as encoded already, which the library then leaves alone."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def mark(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if "etag" in headers:
                    headers["content-encoding"] = "identity"
            await send(message)

        await self._app(scope, receive, mark)


def accepts_gzip(headers: Headers) -> bool:
    """Whether Accept-Encoding names gzip, and not with the weight 0, which refuses it."""
    for part in ",".join(headers.getlist("accept-encoding")).lower().split(","):
        name, *parameters = "".join(part.split()).split(";")
        if name in {"gzip", "x-gzip"}:
            weights = [each[2:] for each in parameters if each.startswith("q=")]
            return not any(weight.strip("0.") == "" for weight in weights)
    return False
