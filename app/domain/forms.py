"""The urlencoded form: how a query, most bodies and the stored raw parameters are written."""

import re
from collections.abc import Iterable
from urllib.parse import quote_from_bytes, unquote_to_bytes

Pair = tuple[bytes, bytes]

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_ESCAPED_SEPARATOR = re.compile(rb"%(?:26|3[dD])")


def split_form(data: bytes) -> list[Pair]:
    """The pairs of a query or an urlencoded body: only `&` separates, broken escapes stay."""
    data = data.removeprefix(BYTE_ORDER_MARK).replace(b"+", b" ")
    if _ESCAPED_SEPARATOR.search(data):
        pieces = [piece.partition(b"=") for piece in data.split(b"&") if piece]
        return [(unquote(name), unquote(value)) for name, _, value in pieces]
    # The ordinary case: one call for the whole costs half, and no escape spans a separator.
    pieces = [piece.partition(b"=") for piece in unquote(data).split(b"&") if piece]
    return [(name, value) for name, _, value in pieces]


def join_form(pairs: Iterable[Pair]) -> bytes:
    """The form that `split_form` takes apart into exactly these pairs."""
    return "&".join(
        f"{quote_from_bytes(name)}={quote_from_bytes(value)}" for name, value in pairs
    ).encode()


def unquote(data: bytes) -> bytes:
    """Percent escapes resolved; those that are broken stay."""
    return unquote_to_bytes(data) if b"%" in data else data
