"""How the bytes of a query or a body fall apart into name/value pairs, losing none."""

import json
import re
from collections.abc import Iterator

from app.domain.forms import BYTE_ORDER_MARK, Pair, split_form
from app.provider.charsets import convert_to_utf8

# The name under which is kept what cannot be taken apart, whole or from the first fault on.
_OPAQUE = b"body"

_FORM_TYPE = b"application/x-www-form-urlencoded"
_FORM_START = re.compile(rb'(?![\[{"<])[^\s=]*=')

_CHARSET = re.compile(rb'\bcharset\s*=\s*"?([^\s";,]+)', re.IGNORECASE)
_BOUNDARY = re.compile(rb'\bboundary\s*=\s*(?:"([^"]+)"|([^\s";,]+))', re.IGNORECASE)
_FIRST_BOUNDARY = re.compile(rb"--([^\r\n]+)\r?\ncontent-[a-z]+:", re.IGNORECASE)
_PART_NAME = re.compile(
    rb'[;\s]name\s*=\s*(?:"([^"\\]*(?:\\.[^"\\]*)*)"|([^\s";]+))', re.IGNORECASE | re.DOTALL
)
_QUOTED_CHARACTER = re.compile(rb'\\(["\\])')

_JSON_OPENING = re.compile(rb'[ \t\r\n]*\{[ \t\r\n]*(?=["}])')
_JSON_COLON = re.compile(r"[ \t\r\n]*:[ \t\r\n]*")
_JSON_AFTER = re.compile(r"[ \t\r\n]*(?:,[ \t\r\n]*|(?=\}))")
_JSON_ESCAPES = re.compile(rb"(?:\\u[0-9a-f]{4})+|\\.", re.IGNORECASE | re.DOTALL)
_JSON_SPACES = re.compile(rb'("[^"\\]*(?:\\.[^"\\]*)*")|[ \t\r\n]+', re.DOTALL)
_JSON_AUTH = re.compile(
    rb'"auth"\s*:\s*(?:"([^"\\]*(?:\\.[^"\\]*)*)(?:"|\\?\Z)|([^\s",}]+))',
    re.IGNORECASE | re.DOTALL,
)
_JSON_CONTROLS = {b"\\b": b"\b", b"\\f": b"\f", b"\\n": b"\n", b"\\r": b"\r", b"\\t": b"\t"}


def split_body(body: bytes, content_type: bytes) -> tuple[list[Pair], str | None]:
    """The pairs of a body, and the declared charset that their bytes are still in.

    Trusts the body's looks before its declared type, which is often wrong or missing. JSON and
    multipart with a charset come out in UTF-8 (None): their escapes and parts have charsets of
    their own. What fits no form is one pair named `body`; so is what follows a fault.
    """
    charset = _read_charset(content_type)
    body = body.removeprefix(BYTE_ORDER_MARK)
    boundary = _find_boundary(body, content_type)
    if boundary is not None:
        return list(_split_multipart(body, boundary, charset)), None
    if opening := _JSON_OPENING.match(body):
        return list(_split_json(convert_to_utf8(body, charset), opening.end())), None
    line = body.strip(b"\r\n")
    is_form = content_type.partition(b";")[0].strip().lower() == _FORM_TYPE
    if is_form or _FORM_START.match(line):
        return split_form(line), charset
    return list(_keep_opaque(body)), charset


def _read_charset(header: bytes) -> str | None:
    found = _CHARSET.search(header)
    return found[1].decode("latin-1") if found else None


def _find_boundary(body: bytes, content_type: bytes) -> bytes | None:
    if content_type[:10].lower() == b"multipart/":
        declared = _BOUNDARY.search(content_type)
        boundary: bytes = (declared[1] or declared[2]) if declared else b""
        if boundary and b"--" + boundary in body:
            return boundary
    first = _FIRST_BOUNDARY.match(body)
    return first[1].rstrip() or None if first else None


def _split_multipart(body: bytes, boundary: bytes, charset: str | None) -> Iterator[Pair]:
    """One pair for each part, files too; a part without a name has the name "".

    The kept library's parser stops at the first fault and an `auth` after it would be missed, so
    this only cuts at the boundaries: whatever lies between two of them is a part.
    """
    newline = b"\r\n" if b"\r\n" in body else b"\n"
    opening, *parts = (newline + body).split(newline + b"--" + boundary)
    yield from _keep_opaque(opening.removeprefix(newline))
    for part in parts:
        if part.startswith(b"--"):
            yield from _keep_opaque(part[2:])
            continue
        head, blank_line, value = part.partition(newline * 2)
        if not blank_line:
            head, value = b"", part
        part_charset = _read_charset(head) or charset
        yield _read_part_name(head), convert_to_utf8(value, part_charset)


def _read_part_name(head: bytes) -> bytes:
    found = _PART_NAME.search(head)
    if found is None:
        return b""
    return found[2] or _QUOTED_CHARACTER.sub(rb"\1", found[1])


def _split_json(body: bytes, at: int) -> Iterator[Pair]:
    """One pair for each member of the object whose first member is `at`, in order, repeats too.

    Strings give their text, other scalars their digits or word, null nothing, nested values
    their JSON without spaces. A member counts once the `,` or `}` after it is seen, so a quote
    that somebody forgot to escape never yields half a text.
    """
    # As Latin-1 every byte is one character: places in the text are places in the body.
    text = body.decode("latin-1")
    decoder = json.JSONDecoder(strict=False, parse_int=str)
    try:
        while not text.startswith("}", at):
            name_end = _scan_json(decoder, text, at, only='"')
            value_at = _skip_json(_JSON_COLON, text, name_end)
            value_end = _scan_json(decoder, text, value_at)
            after = _skip_json(_JSON_AFTER, text, value_end)
            yield _read_json_text(body[at:name_end]), _read_json_text(body[value_at:value_end])
            at = after
    except (ValueError, RecursionError):
        yield from _keep_opaque(body[at:])
    else:
        yield from _keep_opaque(body[at + 1 :])


def _scan_json(decoder: json.JSONDecoder, text: str, at: int, only: str = "") -> int:
    if not text.startswith(only, at):
        raise ValueError
    _, end = decoder.raw_decode(text, at)
    return end


def _skip_json(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    if found is None:
        raise ValueError
    return found.end()


def _read_json_text(literal: bytes) -> bytes:
    if literal.startswith(b'"'):
        return _unescape_json(literal[1:-1])
    if literal.startswith((b"{", b"[")):
        return _JSON_SPACES.sub(rb"\1", literal)
    return b"" if literal == b"null" else literal


def _unescape_json(literal: bytes) -> bytes:
    return _JSON_ESCAPES.sub(_read_escape, literal) if b"\\" in literal else literal


def _read_escape(escape: re.Match[bytes]) -> bytes:
    if escape[0].startswith(b"\\u") and len(escape[0]) > 2:
        units = bytes.fromhex(escape[0].replace(b"\\u", b"").decode())
        return units.decode("utf-16-be", "surrogatepass").encode("utf-8", "surrogatepass")
    return _JSON_CONTROLS.get(escape[0], escape[0][1:])


def _keep_opaque(data: bytes) -> Iterator[Pair]:
    """What nothing can be made of, without the `auth` members that damaged JSON may hold."""
    for member in _JSON_AUTH.finditer(data):
        yield b"auth", member[2] or _unescape_json(member[1])
    rest = _JSON_AUTH.sub(b"", data)
    if rest.strip():
        yield _OPAQUE, rest
