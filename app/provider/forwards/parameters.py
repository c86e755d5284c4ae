"""The names of a forward's parameters, as documented and in other spellings.

Source: the provider's page, Inbound Message Forwarding.
"""

import re

from app.domain.inbound.urlencoded import BYTE_ORDER_MARK

AUTH = b"auth"
OWN_FIELDS = frozenset({"source", "dest", "msg", "id", "receivedts"})
# The merge fields and our names for them.
MERGE_FIELDS = {
    "MMName": "name",
    "MMEmail": "email",
    **{f"MM{number}": str(number) for number in range(1, 6)},
}
# By their form after `fold_name`.
FIELDS = {field.lower().encode(): field for field in (*OWN_FIELDS, *MERGE_FIELDS)}

# Anything that fits no format is kept under this name.
OPAQUE = b"body"
# An ordinary forward has a dozen. With more than this, only the known ones are separated.
MAX_PAIRS = 256

# Longer text is not a number, and strangers can send it.
MAX_NUMBER = 64

# A known name, for patterns.
KNOWN_NAME = b"(?:" + b"|".join([AUTH, *FIELDS]) + b")"

_INDEX = re.compile(rb"\[\d*\]\Z")


def fold_name(name: bytes) -> bytes:
    """A name's form for comparison: without case, spaces, a byte order mark, `amp;` and `[]`.

    `amp;` remains if a URL was copied from a page's source; `msg[]` or `msg[0]` is how
    PHP and others write a list.
    """
    folded = name.removeprefix(BYTE_ORDER_MARK).strip().lower().removeprefix(b"amp;")
    return _INDEX.sub(b"", folded) if folded.endswith(b"]") else folded
