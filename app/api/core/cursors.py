"""Cursors: where a list goes on, as opaque text that only the same query takes back."""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from app.domain.errors import InvalidCursor
from app.domain.ids import LAST_ID

# Changes when positions come to mean something else, so that old cursors are refused.
_VERSION = 1
_DIGEST_BYTES = 9
_MAX_LENGTH = 200


def encode_cursor(position: tuple[int, ...], path: str, filters: Mapping[str, Any]) -> str:
    """Text that holds the position and a digest of it with the path and the filters."""
    numbers = ".".join(map(str, position)).encode()
    data = _digest(numbers, path, filters) + numbers
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def decode_cursor(
    text: str, path: str, filters: Mapping[str, Any], *, length: int = 1
) -> tuple[int, ...]:
    """The position, so many numbers. Raises InvalidCursor for a damaged or a foreign one."""
    try:
        if len(text) > _MAX_LENGTH:
            raise ValueError(text)
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        digest, numbers = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
        if digest != _digest(numbers, path, filters):
            raise ValueError(text)
        position = tuple(map(int, numbers.split(b".")))
        if not all(0 <= number <= LAST_ID for number in position):
            raise ValueError(text)
    except (ValueError, binascii.Error):
        position = ()
    if len(position) != length:
        raise InvalidCursor(
            "the cursor is damaged or belongs to a list with other filters or another order;"
            " begin again without it",
            field="cursor",
        )
    return position


def _digest(numbers: bytes, path: str, filters: Mapping[str, Any]) -> bytes:
    query = json.dumps([_VERSION, numbers.decode("latin-1"), path, dict(filters)], sort_keys=True)
    return hashlib.sha256(query.encode()).digest()[:_DIGEST_BYTES]
