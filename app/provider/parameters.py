"""The names of a forward's parameters, as the provider's page spells them and as others write them.

Source: the provider's page, Inbound Message Forwarding.
"""

import re

from app.domain.forms import BYTE_ORDER_MARK

AUTH = b"auth"
OWN_FIELDS = frozenset({"source", "dest", "msg", "id", "receivedts"})
# The merge fields, each with our name for it.
MERGE_FIELDS = {
    "MMName": "name",
    "MMEmail": "email",
    **{f"MM{number}": str(number) for number in range(1, 6)},
}
# By what `fold_name` makes of them.
FIELDS = {field.lower().encode(): field for field in (*OWN_FIELDS, *MERGE_FIELDS)}

# What fits no form is kept under this name.
OPAQUE = b"body"
# An ordinary forward has a dozen. Of what has more than this only the known ones are taken apart.
MAX_PAIRS = 256

# A name that is known, for patterns.
KNOWN_NAME = b"(?:" + b"|".join([AUTH, *FIELDS]) + b")"

_INDEX = re.compile(rb"\[\d*\]\Z")


def fold_name(name: bytes) -> bytes:
    """What a name is compared as: without case, spaces, a byte order mark, `amp;` and `[]`.

    `amp;` is left over where somebody copied a URL from a page's source; `msg[]` or `msg[0]` is how
    PHP and others write a list.
    """
    folded = name.removeprefix(BYTE_ORDER_MARK).strip().lower().removeprefix(b"amp;")
    return _INDEX.sub(b"", folded) if folded.endswith(b"]") else folded
