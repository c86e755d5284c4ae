"""Our cookies: the session, the message on top of the next page, and secrets shown once."""

import base64
from typing import Literal, get_args

from starlette.requests import Request
from starlette.responses import Response

FLASH = "letterbox_flash"
FLASH_SECONDS = 60
# The database says when a session ends; a year is as long as browsers keep any cookie.
SESSION_SECONDS = 365 * 24 * 3600

# How a message on top of a page looks.
FlashKind = Literal["done", "warn", "failed"]
FLASH_KINDS = frozenset(get_args(FlashKind))

SameSite = Literal["lax", "strict"]


class Cookies:
    """Those of one site; only our own pages get them, and no script does."""

    def __init__(self, root: str, *, is_https: bool) -> None:
        self._is_https = is_https
        # Other applications on the host must not get our cookies.
        self._path = root or "/"
        # Browsers accept a `__Host-` cookie only for the whole host.
        prefix = "__Secure-" if root else "__Host-"
        self._session = f"{prefix if is_https else ''}letterbox_session"

    def read_session(self, request: Request) -> str:
        """The token of the session, or ""."""
        return read_cookie(request, self._session)

    def set_session(self, response: Response, token: str) -> None:
        """Store a session's token in the browser."""
        self._set(response, self._session, token, SESSION_SECONDS, "lax")

    def forget_session(self, response: Response) -> None:
        self._forget(response, self._session, "lax", is_secure=self._is_https)

    def set_note(self, response: Response, name: str, text: str, seconds: int) -> None:
        """Keep a text in the browser for a page to come."""
        self._set(response, name, text, seconds, "strict")

    def forget_note(self, response: Response, name: str) -> None:
        self._forget(response, name, "strict", is_secure=False)

    def set_flash(self, response: Response, kind: FlashKind, text: str) -> None:
        """The message that the next page shows on top."""
        # Without padding, because a value with `=` would have to be quoted.
        value = base64.urlsafe_b64encode(f"{kind} {text}".encode()).decode().rstrip("=")
        self.set_note(response, FLASH, value, FLASH_SECONDS)

    def _set(
        self, response: Response, name: str, text: str, seconds: int, same_site: SameSite
    ) -> None:
        response.set_cookie(
            name,
            text,
            max_age=seconds,
            path=self._path,
            httponly=True,
            samesite=same_site,
            secure=self._is_https,
        )

    def _forget(
        self, response: Response, name: str, same_site: SameSite, *, is_secure: bool
    ) -> None:
        response.delete_cookie(
            name, self._path, httponly=True, samesite=same_site, secure=is_secure
        )


def read_flash(request: Request) -> tuple[str, str] | None:
    """The message that the last page left: its kind and its text."""
    cookie = read_cookie(request, FLASH)
    try:
        kind, _, text = base64.urlsafe_b64decode(f"{cookie}==").decode().partition(" ")
    except ValueError:
        return None
    return (kind, text) if kind in FLASH_KINDS else None


def read_cookie(request: Request, name: str) -> str:
    """The value of one of our cookies, or "".

    Ours are never quoted, and Python's own parser blocks the event loop for 15 s on 60 KB of quotes
    (CVE-2024-7592).
    """
    pairs = (
        pair.partition("=")
        for header in request.headers.getlist("cookie")
        for pair in header.split(";")
    )
    return next((value.strip() for key, _, value in pairs if key.strip() == name), "")
