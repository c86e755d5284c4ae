"""The urlencoded form: how a query, most bodies and the stored raw parameters are written."""

import re
from binascii import a2b_qp
from collections.abc import Iterable
from urllib.parse import quote_from_bytes

Parameter = tuple[bytes, bytes]

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_ESCAPED_SEPARATOR = re.compile(rb"%(?:26|3[dD])")


def split_form(data: bytes) -> list[Parameter]:
    """The parameters of a query or form body: only `&` separates, broken escapes stay."""
    data = data.removeprefix(BYTE_ORDER_MARK).replace(b"+", b" ")
    if _ESCAPED_SEPARATOR.search(data):
        pieces = [piece.partition(b"=") for piece in data.split(b"&") if piece]
        return [(unquote(name), unquote(value)) for name, _, value in pieces]
    # Usually no escape stands for a separator: unquoting all at once takes half the time.
    pieces = [piece.partition(b"=") for piece in unquote(data).split(b"&") if piece]
    return [(name, value) for name, _, value in pieces]


def join_form(pairs: Iterable[Parameter]) -> bytes:
    """The form that `split_form` splits into exactly these parameters."""
    return "&".join(
        f"{quote_from_bytes(name)}={quote_from_bytes(value)}" for name, value in pairs
    ).encode()


def unquote(data: bytes) -> bytes:
    """Percent escapes resolved; those that are broken stay.

    Quoted-printable has the same escapes with another sign, and its decoder in C takes a tenth of
    the time of `unquote_to_bytes`.
    """
    if b"%" not in data:
        return data
    sound = _BROKEN_ESCAPE.sub(b"%25", data)
    return a2b_qp(sound.replace(b"=", b"=3D").replace(b"%", b"="))
