"""How a text is cut into parts on the air: the GSM alphabet, UCS-2 and their part lengths."""

from typing import Literal

Encoding = Literal["gsm", "ucs2"]

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_OTHERS = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./:;<=>?¡ÄÖÑÜ§¿äöñüà"
_ONE_SEPTET = frozenset(_LETTERS + _OTHERS)
_TWO_SEPTETS = frozenset("\f^{}\\[~]|€")
_ROOM: dict[Encoding, tuple[int, int]] = {"gsm": (160, 153), "ucs2": (70, 67)}


def choose_encoding(body: str) -> Encoding:
    """Which alphabet a text needs: one other character makes all of it UCS-2."""
    plain = all(character in _ONE_SEPTET or character in _TWO_SEPTETS for character in body)
    return "gsm" if plain else "ucs2"


def is_gsm(text: str) -> bool:
    """Whether an alphanumeric source is valid: the page allows all GSM characters."""
    return choose_encoding(text) == "gsm"


def split_parts(body: str) -> list[str]:
    """Split a text into the parts that are sent and charged, never inside a character."""
    encoding = choose_encoding(body)
    whole, each = _ROOM[encoding]
    if sum(_width(character, encoding) for character in body) <= whole:
        return [body]
    parts: list[str] = []
    current, room = "", each
    for character in body:
        width = _width(character, encoding)
        if width > room:
            parts.append(current)
            current, room = "", each
        current, room = current + character, room - width
    parts.append(current)
    return parts


def _width(character: str, encoding: Encoding) -> int:
    if encoding == "gsm":
        return 2 if character in _TWO_SEPTETS else 1
    return 2 if ord(character) > 0xFFFF else 1
