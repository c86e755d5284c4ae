"""Digests with a key that the database does not have: they say of a number only whether it is it.

The key travels with each connection, because functions that only read rows need it too.
"""

import hashlib
import hmac
from dataclasses import dataclass, field

from sqlalchemy import Connection

OPTION = "digest_key"
DIGEST_BYTES = 16


@dataclass(slots=True)
class DigestKey:
    """A database's key; None until somebody has loaded it."""

    key: bytes | None = field(default=None, repr=False)


def make_keyed_digest(conn: Connection, purpose: str, *parts: str | bytes) -> bytes | None:
    """16 bytes that are equal for equal parts; None where the key is not known.

    Different lists never look alike, nor do the same parts for another purpose.
    """
    holder: DigestKey | None = conn.get_execution_options().get(OPTION)
    if holder is None or holder.key is None:
        return None
    encoded = [each.encode() if isinstance(each, str) else each for each in (purpose, *parts)]
    text = b"".join(b"%d:%b" % (len(each), each) for each in encoded)
    return hmac.digest(holder.key, text, hashlib.sha256)[:DIGEST_BYTES]
