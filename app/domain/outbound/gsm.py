"""How a text becomes SMS parts: the alphabet it needs, its units, and where it is cut.

Source: 3GPP TS 23.038 (the GSM 7-bit default alphabet and its extension table), TS 23.040 (the six
bytes of header that join the parts of a long message).
"""

import re
from dataclasses import dataclass
from typing import Literal

Encoding = Literal["GSM-7", "UCS-2"]

# In the order of their codes, without ESC (0x1B), which is no character of its own.
GSM_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
# Each takes two septets: ESC and one more.
GSM_EXTENSION = "\f^{}\\[~]|€"

# Septets or UTF-16 code units that fit into a part: alone, and as one of several.
LONE_CAPACITY: dict[Encoding, int] = {"GSM-7": 160, "UCS-2": 70}
JOINED_CAPACITY: dict[Encoding, int] = {"GSM-7": 153, "UCS-2": 67}

# Provider's page, Send: Body and SourceAddress.
LONGEST_BODY = 459
LONGEST_ALPHANUMERIC_SOURCE = 11

OUTSIDE_GSM = re.compile(f"[^{re.escape(GSM_BASIC + GSM_EXTENSION)}]")
_DOUBLE = {
    "GSM-7": re.compile(f"[{re.escape(GSM_EXTENSION)}]"),
    "UCS-2": re.compile("[\U00010000-\U0010ffff]"),
}


@dataclass(frozen=True, slots=True)
class SmsText:
    """One text as the network carries it.

    `units` are septets in GSM-7, UTF-16 code units in UCS-2, without the headers of the parts.
    `parts` joined give the text back; an empty text has one empty part. `room` is how many more
    units fit into the last part. `outside` holds each character that made it UCS-2, once, in
    order of appearance: empty exactly where the encoding is GSM-7.
    """

    encoding: Encoding
    units: int
    parts: tuple[str, ...]
    room: int
    outside: tuple[str, ...]


def measure_text(text: str) -> SmsText:
    """Choose the encoding and cut the parts. Takes any string, lone surrogates too."""
    outside = tuple(dict.fromkeys(OUTSIDE_GSM.findall(text)))
    encoding: Encoding = "UCS-2" if outside else "GSM-7"
    units = count_units(text, encoding)
    capacity = LONE_CAPACITY[encoding]
    parts: tuple[str, ...] = (text,)
    if units > capacity:
        capacity = JOINED_CAPACITY[encoding]
        parts = _cut_parts(text, encoding, capacity)
    room = capacity - count_units(parts[-1], encoding)
    return SmsText(encoding, units, parts, room, outside)


def count_units(text: str, encoding: Encoding) -> int:
    """Septets or UTF-16 code units: one for each character, two for an escaped one or a pair."""
    return len(text) + len(_DOUBLE[encoding].findall(text))


def _cut_parts(text: str, encoding: Encoding, capacity: int) -> tuple[str, ...]:
    doubles = _DOUBLE[encoding]
    parts = []
    start = 0
    while start < len(text):
        # Every double from the left moves the end of the part back by one.
        end = start + capacity
        for double in doubles.finditer(text, start):
            if double.start() >= end:
                break
            end -= 1
        parts.append(text[start:end])
        start = end
    return tuple(parts)
