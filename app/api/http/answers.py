"""Complete answers sent without the application: /inbound's, and the protocol's own."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

RETRY_AFTER_SECONDS = 30

STATUS_LINES = {
    status.value: b"HTTP/1.1 %d %s\r\n" % (status, status.phrase.encode()) for status in HTTPStatus
}

Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, eq=False, slots=True)
class Answer:
    """An answer with `closes` ends the connection, because the request was not read to its end."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    closes: bool = False

    def write(self, defaults: Headers, *, closes: bool = False, with_body: bool = True) -> bytes:
        """The bytes on the wire; `closes` if the caller should not use the connection again."""
        headers = [*defaults, *self.headers]
        if closes or self.closes:
            headers.append((b"connection", b"close"))
        return write_head(self.status, headers) + (self.body if with_body else b"")


def make_answer(
    status: int, text: str, *headers: tuple[bytes, bytes], closes: bool = False
) -> Answer:
    """Plain text that is never cached: another text may have the same URL."""
    body = text.encode()
    usual = (
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
    )
    return Answer(status, (*usual, *headers), body, closes)


def write_head(status: int, headers: Headers) -> bytes:
    status_line = STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status
    return b"".join([status_line, *[b"%s: %s\r\n" % header for header in headers], b"\r\n"])


class PreparedAnswers:
    """The bytes of the most common answers, built again whenever the date changes."""

    def __init__(self) -> None:
        self._prepared: dict[Answer, bytes] = {}
        self._prepared_for: object = None

    def write(self, answer: Answer, defaults: Headers) -> bytes:
        """`defaults` are uvicorn's headers, a new list whenever the date changes."""
        if self._prepared_for is not defaults:
            self._prepared_for = defaults
            self._prepared.clear()
        prepared = self._prepared.get(answer)
        if prepared is None:
            prepared = self._prepared[answer] = answer.write(defaults)
        return prepared


_RETRY_AFTER = (b"retry-after", b"%d" % RETRY_AFTER_SECONDS)

OK = make_answer(200, "OK")
WRONG_METHOD = make_answer(405, "Use GET or POST\n", (b"allow", b"GET, POST"), closes=True)
TIMED_OUT = make_answer(408, "The request did not arrive in time\n", closes=True)
INCOMPLETE = make_answer(400, "The request ended before its body did\n", closes=True)
TOO_LARGE = make_answer(413, "At most 64 KiB\n", closes=True)
UNAVAILABLE = make_answer(503, "Try again later\n", _RETRY_AFTER)
BUSY = make_answer(503, "Too many requests at once; try again later\n", _RETRY_AFTER, closes=True)
INTERNAL_ERROR = make_answer(500, "Internal Server Error\n", closes=True)
LONG_URL = make_answer(414, "The URL is too long\n", closes=True)
LONG_HEADERS = make_answer(431, "The headers are too long\n", closes=True)
