"""Headers and limits for every request and answer except /inbound's."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Strangers' texts must not be read as a page, cached, or shown in a frame (old browsers know only
# X-Frame-Options). With a referrer policy stricter than same-origin, browsers send `Origin: null`
# with our own forms.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
        " connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
# A year, for this host only: its subdomains may not have https.
HTTPS_HEADERS = {"Strict-Transport-Security": "max-age=31536000"}


def choose_headers(*, is_https: bool) -> tuple[tuple[str, str], ...]:
    """The headers of every answer, unless it sets them itself."""
    return tuple((HEADERS | HTTPS_HEADERS if is_https else HEADERS).items())


class Hardened:
    """Adds headers that an answer does not set itself.

    Without `takes_cookies`, cookies are removed. FastAPI parses them for every request with
    Python's parser, which blocks the event loop for 30 s on 60 KB of quotes (CVE-2024-7592).
    """

    def __init__(self, app: ASGIApp, *, is_https: bool, takes_cookies: bool) -> None:
        self._app = app
        self._takes_cookies = takes_cookies
        self._headers = choose_headers(is_https=is_https)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def add_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers:
                    headers.setdefault(name, value)
            await send(message)

        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if not self._takes_cookies:
            kept = [pair for pair in scope["headers"] if pair[0] != b"cookie"]
            scope = {**scope, "headers": kept}
        await self._app(scope, receive, add_headers)
