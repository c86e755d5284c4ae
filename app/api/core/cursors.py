"""Cursors: where a list goes on, as opaque text that only the same query takes back."""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from app.domain.errors import InvalidCursor

Place = TypeVar("Place")

# Changes when places come to mean something else, so that old cursors are refused.
_VERSION = 1
_DIGEST_BYTES = 9
_MAX_LENGTH = 200


def encode_cursor(place: str, path: str, filters: Mapping[str, Any]) -> str:
    """Text that holds the place and a digest of it with the path and the filters."""
    data = _digest(place.encode(), path, filters) + place.encode()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def decode_cursor(
    text: str, path: str, filters: Mapping[str, Any], read_place: Callable[[str], Place | None]
) -> Place:
    """The place. Raises InvalidCursor for a damaged cursor, or one of another query."""
    place = None
    try:
        if len(text) <= _MAX_LENGTH:
            data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            digest, written = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
            if digest == _digest(written, path, filters):
                place = read_place(written.decode())
    except (ValueError, binascii.Error):
        pass
    if place is None:
        raise InvalidCursor(
            "the cursor is damaged or belongs to a list with other filters or another order;"
            " begin again without it",
            field="cursor",
        )
    return place


def _digest(place: bytes, path: str, filters: Mapping[str, Any]) -> bytes:
    query = json.dumps([_VERSION, place.decode("latin-1"), path, dict(filters)], sort_keys=True)
    return hashlib.sha256(query.encode()).digest()[:_DIGEST_BYTES]
