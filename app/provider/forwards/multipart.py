"""Splits a multipart body at its boundaries, whatever is between them."""

import binascii
import re
from itertools import islice

from app.domain.inbound.urlencoded import Parameter
from app.provider.forwards.charsets import convert_to_utf8, read_charset, read_wide
from app.provider.forwards.json_bodies import keep_opaque
from app.provider.forwards.parameters import AUTH, MAX_PAIRS

_BOUNDARY = re.compile(rb'\bboundary\s*=\s*(?:"([^"]+)"|([^\s";,]+))', re.IGNORECASE)
_FIRST_BOUNDARY = re.compile(rb"--([^\r\n]+)\r?\ncontent-[a-z]+:", re.IGNORECASE)
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_DISPOSITION = re.compile(rb"^content-disposition\s*:", re.IGNORECASE | re.MULTILINE)
# Read one by one, so that a quoted file name may contain anything.
_PARAMETER = re.compile(
    rb"[;\s]([\w*-]++)\s*+=\s*+(?:\"([^\"\\]*(?:\\.[^\"\\]*)*)\"|'([^']*)'|([^\s\";]+))", re.DOTALL
)
_QUOTED_CHARACTER = re.compile(rb'\\(["\\])')
_TRANSFER = re.compile(
    rb"^content-transfer-encoding\s*:\s*(base64|quoted-printable)\s*$", re.IGNORECASE | re.MULTILINE
)
_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2,3}={0,2})?")
_LATER_AUTH = re.compile(
    rb'[;\s]name="?auth"?[^\r\n]*+\r?\n(?:[^\r\n]++\r?\n){0,8}+\r?\n([^\r\n]*)', re.IGNORECASE
)


def find_boundary(body: bytes, content_type: bytes) -> bytes | None:
    """The declared boundary, or else the one in the body's first line."""
    if content_type[:10].lower() == b"multipart/":
        declared = _BOUNDARY.search(content_type)
        boundary: bytes = (declared[1] or declared[2]) if declared else b""
        if boundary and b"--" + boundary in body:
            return boundary
    first = _FIRST_BOUNDARY.match(body)
    return first[1].rstrip() or None if first else None


def split_multipart(
    body: bytes, boundary: bytes, charset: str | None, problems: set[str]
) -> list[Parameter]:
    """One pair for each part, files too; a part without a name has the name "".

    A library's parser stops at the first error and would miss an `auth` after it, so this only
    splits at the boundaries: anything between two of them is a part. Lines may end in CRLF or LF,
    even mixed.
    """
    opening, *parts = (b"\n" + body).split(b"\n--" + boundary, MAX_PAIRS)
    pairs = keep_opaque(opening.removeprefix(b"\n").removesuffix(b"\r"))
    for place, piece in enumerate(parts, 1):
        part = piece.removesuffix(b"\r")
        if place == MAX_PAIRS and b"\n--" + boundary in part:
            pairs += [(AUTH, found[1]) for found in islice(_LATER_AUTH.finditer(part), MAX_PAIRS)]
            pairs += keep_opaque(part)
        elif part.startswith(b"--"):
            pairs += keep_opaque(part[2:])
        else:
            pairs.append(_read_part(part, charset, problems))
    return pairs


def _read_part(part: bytes, charset: str | None, problems: set[str]) -> Parameter:
    end = _HEAD_END.search(part)
    head, value = (part[: end.start()], part[end.end() :]) if end else (b"", part)
    transfer = _TRANSFER.search(head)
    if transfer:
        value = _decode_transfer(value, transfer[1].lower())
    part_charset = read_charset(head) or charset
    wide = read_wide(value, part_charset, problems) if part_charset else None
    if wide is None:
        wide = convert_to_utf8(value, part_charset, problems)
    return _read_name(head), wide


def _decode_transfer(value: bytes, encoding: bytes) -> bytes:
    """The part decoded as its head says; unchanged if that fails."""
    if encoding == b"quoted-printable":
        return binascii.a2b_qp(value)
    compact = b"".join(value.split())
    if not _BASE64.fullmatch(compact):
        return value
    try:
        return binascii.a2b_base64(compact + b"=" * (-len(compact) % 4))
    except binascii.Error:
        return value


def _read_name(head: bytes) -> bytes:
    # The Content-Type may have a name as well, that of a file.
    disposition = _DISPOSITION.search(head)
    for found in _PARAMETER.finditer(head, disposition.end() if disposition else 0):
        parameter, quoted, single, bare = found.groups()
        if parameter.lower() == b"name":
            return single or bare or _QUOTED_CHARACTER.sub(rb"\1", quoted or b"")
    return b""
