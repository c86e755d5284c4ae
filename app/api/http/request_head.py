"""Reads the head of an HTTP/1 request: strict about where it ends, tolerant of what a URL holds.

Why no library does it: docs/decisions/0024.
"""

import re
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from app.provider.forwards.parameters import KNOWN_NAME

Headers = tuple[tuple[bytes, bytes], ...]

MAX_FIELDS = 200
MAX_DIGITS = 18
MAX_SPELLING = 100
# Of headers that are remembered.
MAX_KNOWN_BYTES = 1024

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_METHOD = re.compile(_TOKEN)
_FIELD = re.compile(rb"^(" + _TOKEN + rb"):([^\0\r\n]*)(?:\r\n|\Z)", re.MULTILINE)
# Libraries made for mail fold a multipart's Content-Type onto the next line.
_FOLDED_TYPE = re.compile(
    rb"^content-type:[^\r\n]*(?:\r\n[ \t][^\r\n]*)+", re.IGNORECASE | re.MULTILINE
)
_FOLD = re.compile(rb"\r\n[ \t]+")
_AUTHORITY = re.compile(rb"https?://[^/?#]*", re.IGNORECASE)
# A name, an IPv4 or bracketed IPv6 address, perhaps a port; old programs send nothing.
_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.%a-z]+\]|[^\x00-\x20/?#@,:\\<>\[\]\"]*)(?::[0-9]*)?")
# A provider may append the query to our URL without a `?`, with another character, or escaped.
_MISSING_MARK = re.compile(
    rb"\A([^?=]*/inbound)(?:[^\w?=%]|%(?:2[0-9a-f]|3[a-f]))*+(?=" + KNOWN_NAME + rb"=)",
    re.IGNORECASE,
)
# As it begins, or is empty so far.
_TARGET = re.compile(rb"/|h|\*|\Z", re.IGNORECASE)
_UNSAFE = re.compile(rb"[\x00-\x20\x7f]")
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")
_VERSIONS = {b"HTTP/1.1": 1, b"HTTP/1.0": 0}
_OTHER_VERSION = re.compile(rb"HTTP/[0-9](?:\.[0-9])?")
_USUAL_METHODS = {name.encode(): name for name in ("GET", "POST", "HEAD", "PUT", "PATCH", "DELETE")}
_METHODS = (*_USUAL_METHODS, b"OPTIONS", b"TRACE", b"CONNECT")
# The longest of them, the space behind it and a bit.
_MAX_METHOD = 16
_CR = 13


class BadRequest(Exception):
    """The head cannot be read; `path` is b"" if not even the request line can be."""

    def __init__(self, text: str, *, status: int = 400, path: bytes = b"") -> None:
        super().__init__(text)
        self.status = status
        self.path = path


class Head(NamedTuple):
    """The part before a body. Names of headers are in lower case.

    `minor` is the version's: HTTP/1.`minor`. `length` is the body's, None if it comes in chunks;
    `path` and `query` are unchanged, without the authority of an absolute URL.
    """

    method: str
    path: bytes
    query: bytes
    minor: int
    headers: Headers
    length: int | None
    keeps_alive: bool
    expects_continue: bool

    @property
    def has_body(self) -> bool:
        return self.length != 0


class _Fields(NamedTuple):
    headers: Headers
    length: int | None
    keeps_alive: bool
    expects_continue: bool


def find_head(data: bytes, start: int = 0) -> tuple[int, int]:
    """Where the head ends and where the rest begins; (-1, 0) if more data is needed.

    `start` is how much was already searched. Programs that never write CR are accepted: a mixture
    may mean one thing to us and another to a proxy, so it raises BadRequest.
    """
    first = data.find(b"\n")
    if first < 0:
        end, blank = -1, 0
    elif data[first - 1] == _CR:
        end, blank = data.find(b"\r\n\r\n", start - 3 if start > 3 else 0), 4
    else:
        end, blank = data.find(b"\n\n"), 2
    if end >= 0:
        return end, end + blank
    if b"\n\n" in data or b"\n\r\n" in data:
        raise BadRequest("some lines end with CRLF and some with LF")
    # Bytes that cannot become a request are refused at once instead of waiting for more.
    if not may_begin_request(data[:_MAX_METHOD]):
        raise BadRequest("this is not an HTTP request")
    return -1, 0


def may_begin_request(data: bytes) -> bool:
    """Whether it looks like the beginning of a request, or like nothing.

    Only known methods do: of what stands behind a request, such as a body that nobody announced,
    most bytes could be the beginning of some method, and would spoil the next request.
    """
    word, space, _ = data.lstrip(b"\r\n").partition(b" ")
    if space:
        return word in _METHODS
    return any(method.startswith(word) for method in _METHODS)


def is_leftover(data: bytes, *, has_ended: bool) -> bool:
    """Whether bytes behind a request are no other request, but for instance the end of its body.

    `has_ended` if nothing comes behind them.
    """
    word, space, target = data.lstrip(b"\r\n").partition(b" ")
    if space:
        return word not in _METHODS or not _TARGET.match(target)
    return bool(word) and (has_ended or not may_begin_request(word))


def read_head(block: bytes) -> Head:
    """Read a head without the blank line at its end. Raises BadRequest."""
    if b"\r" not in block:
        block = block.replace(b"\n", b"\r\n")
    line, _, lines = block.partition(b"\r\n")
    method, _, rest = line.partition(b" ")
    target, _, version = rest.rstrip(b" ").rpartition(b" ")
    path, query = split_target(target)
    minor = _VERSIONS.get(version)
    if minor is None or not path or b"\n" in line:
        raise _explain_line(method, path, version)
    name = _USUAL_METHODS.get(method) or _read_method(method, path)
    try:
        fields = (_read_known if len(lines) <= MAX_KNOWN_BYTES else _read_fields)(lines)
    except BadRequest as error:
        error.path = path
        raise
    headers, length, keeps_alive, expects = fields
    if minor == 0:
        if length is None:
            raise BadRequest("HTTP/1.0 does not allow chunks", path=path)
        keeps_alive = expects = False
    return Head(name, path, query, minor, headers, length, keeps_alive, expects)


def split_target(target: bytes) -> tuple[bytes, bytes]:
    """Path and query of a request's target; the path is b"" if there is none.

    A raw `#` belongs to the query, because only browsers remove fragments.
    """
    if not target.startswith(b"/"):
        target = target.strip(b" ")
        if absolute := _AUTHORITY.match(target):
            target = target[absolute.end() :]
            if not target.startswith(b"/"):
                target = b"/" + target
        elif target != b"*" and not target.startswith(b"/"):
            return b"", b""
    mark = _MISSING_MARK.search(target) if b"=" in target else None
    if mark:
        return mark[1], target[mark.end() :]
    path, _, query = target.partition(b"?")
    return path, query


def is_path(path: bytes, wanted: bytes) -> bool:
    """Whether a path is the wanted one however it is spelled: slashes, case, escapes, spaces."""
    if len(path) > MAX_SPELLING:
        return False
    return b"/" + unquote_to_bytes(path).strip(b"/ \t\r\n").lower() == wanted


def split_line(data: bytes) -> tuple[bytes, bytes]:
    """Path and query of an incomplete head, as far as they are known."""
    line, _, _ = data.partition(b"\n")
    target = line.partition(b" ")[2]
    return split_target(target.partition(b" HTTP/")[0])


def make_scope(head: Head, *, keeps_odd_bytes: bool) -> dict[str, Any]:
    """The request as an ASGI scope, without the caller's address.

    Raises BadRequest for bytes that are not allowed in a URL, unless they are to be kept.
    """
    path, query = head.path, head.query
    if not keeps_odd_bytes:
        if _UNSAFE.search(path) or _UNSAFE.search(query):
            raise BadRequest("a URL must not contain spaces or control characters", path=path)
        # curl, for example, sends them as typed.
        path, query = (_BEYOND_ASCII.sub(_escape, part) for part in (path, query))
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": f"1.{head.minor}",
        "scheme": "http",
        "method": head.method,
        "path": unquote_to_bytes(path).decode("utf-8", "replace"),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": list(head.headers),
    }


def check_host(head: Head) -> None:
    """Raises BadRequest where it is not clear which host is meant (RFC 9112, 3.2)."""
    hosts = [value for name, value in head.headers if name == b"host"]
    if len(hosts) > 1:
        raise BadRequest("the header Host is there twice", path=head.path)
    if hosts and not _HOST.fullmatch(hosts[0]):
        raise BadRequest("the header Host does not name a host", path=head.path)


def _escape(found: re.Match[bytes]) -> bytes:
    return b"%%%02X" % found[0][0]


def _explain_line(method: bytes, path: bytes, version: bytes) -> BadRequest:
    if not path and version in _VERSIONS:
        return BadRequest("the path of the URL must begin with /")
    if _OTHER_VERSION.fullmatch(version) and _METHOD.fullmatch(method):
        return BadRequest("only HTTP/1.1 and HTTP/1.0 are supported", status=505, path=path)
    return BadRequest("the first line is not an HTTP/1.1 request line", path=path)


def _read_method(method: bytes, path: bytes) -> str:
    if not _METHOD.fullmatch(method):
        raise BadRequest("the method is not valid", path=path)
    return method.decode("ascii")


def _read_fields(lines: bytes) -> _Fields:
    """The headers; `lines` are without the last CRLF. Raises BadRequest."""
    headers = _split_fields(lines) if lines else ()
    named = dict(headers)
    keeps_alive = b"connection" not in named or b"close" not in _list_values(headers, b"connection")
    expects = named.get(b"expect", b"").lower() == b"100-continue"
    return _Fields(headers, _read_length(headers, named), keeps_alive, expects)


# A caller's headers are mostly those of its last request.
_read_known = lru_cache(maxsize=256)(_read_fields)


def _split_fields(lines: bytes) -> Headers:
    count = lines.count(b"\n") + 1
    if count > MAX_FIELDS:
        raise BadRequest(f"more than {MAX_FIELDS} headers", status=431)
    found = _FIELD.findall(lines)
    if len(found) != count:
        lines = _FOLDED_TYPE.sub(lambda folded: _FOLD.sub(b" ", folded[0]), lines)
        found = _FIELD.findall(lines)
        if len(found) != lines.count(b"\n") + 1:
            raise BadRequest("a header is not `Name: value`")
    return tuple([(name.lower(), value.strip(b" \t")) for name, value in found])


def _read_length(headers: Headers, named: dict[bytes, bytes]) -> int | None:
    """The body's length, None if it comes in chunks. Raises BadRequest if that is ambiguous."""
    if b"transfer-encoding" in named:
        if b"content-length" in named:
            raise BadRequest("Content-Length and Transfer-Encoding must not be combined")
        if _list_values(headers, b"transfer-encoding") != [b"chunked"]:
            raise BadRequest("the only supported Transfer-Encoding is chunked", status=501)
        return None
    if b"content-length" not in named:
        return 0
    length, *others = set(_list_values(headers, b"content-length"))
    if others or not length.isdigit() or len(length) > MAX_DIGITS:
        raise BadRequest("Content-Length must be a single number")
    return int(length)


def _list_values(headers: Headers, wanted: bytes) -> list[bytes]:
    """All values of a list header, in lower case."""
    values = b",".join(value for name, value in headers if name == wanted)
    return [each.strip(b" \t").lower() for each in values.split(b",")]
