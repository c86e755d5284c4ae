"""Makes links of the web addresses in a text, which a stranger may have written."""

import re
from collections import Counter

from markupsafe import Markup, escape

# Nothing is fetched in advance, and the page behind a link learns nothing of ours. `dir` keeps
# characters before it, which turn the direction of writing, from changing how it reads.
_LINK = Markup('<a href="{}{}" dir="ltr" rel="noopener noreferrer" target="_blank">{}</a>')
_ADDRESS = re.compile(
    # Up to a blank, a control, or a character that is invisible or turns the direction.
    r"(?<![\w@.])(?:https?://|www\.)"
    r"[^\s<>\"\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]+",
    re.IGNORECASE,
)
# With plain letters alone a name cannot only look like another's; and without `@` before its end
# the name is not that of a person, as in https://bank.example@evil.example.
_HOST = re.compile(
    r"(?:https?://)?(?:[a-z0-9-]{1,63}\.){1,20}[a-z0-9-]{1,63}(?::[0-9]{1,5})?(?=[/?#]|\Z)",
    re.IGNORECASE,
)
# These end a sentence or a quotation, not an address.
_AFTER = frozenset(
    ".,;:!?'*\u2026\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb\u2039\u203a\u3002\uff0c\u3001\uff01\uff1f\uff1b\uff1a"
)
_BRACKETS = {
    ")": "(",
    "]": "[",
    "}": "{",
    "\uff09": "\uff08",
    "\u3011": "\u3010",
    "\u300d": "\u300c",
}


def link_addresses(text: str) -> Markup:
    """The text, escaped, with its addresses as links: http, https, and what begins with `www.`.

    Whatever is no plain address stays as it is, and a link reads as it came.
    """
    done: list[Markup] = []
    place = 0
    for found in _ADDRESS.finditer(text):
        address = _cut_end(found[0])
        if _HOST.match(address):
            scheme = "https://" if address[:4].lower() == "www." else ""
            link = _LINK.format(scheme, address, address)
            done += [escape(text[place : found.start()]), link]
            place = found.start() + len(address)
    return Markup("").join([*done, escape(text[place:])])


def _cut_end(address: str) -> str:
    """Without the punctuation after it; a bracket that was opened inside belongs to it."""
    counts = Counter(address)
    end = len(address)
    while end:
        last = address[end - 1]
        opened = counts[_BRACKETS[last]] if last in _BRACKETS else None
        if last not in _AFTER and (opened is None or counts[last] <= opened):
            break
        counts[last] -= 1
        end -= 1
    return address[:end]
