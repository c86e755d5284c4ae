"""Which characters the bytes of a forward stand for, in whatever charset they came."""

from encodings import normalize_encoding
from encodings.aliases import aliases

from app.domain.forms import BYTE_ORDER_MARK

# ASCII, then the beginnings of escapes in the codecs that give them a meaning.
_PROBE = bytes(range(128)) + b"\\u0041\\x41\x1b(B~~{"

# Windows-1252 leaves five bytes undefined; browsers read them as the control of that number.
_UNDEFINED_BYTES = {0xDC00 + byte: byte for byte in (0x81, 0x8D, 0x8F, 0x90, 0x9D)}


def find_codec(charset: str | None) -> str | None:
    """Python's codec for a declared charset; None for UTF-8 and for what cannot be trusted.

    Trusted is a codec that leaves ASCII as it is: names and digits keep their meaning, and the
    odd ones (UTF-7, IDNA, escapes, EBCDIC, UTF-16) are out. Only names in Python's own table are
    looked up, since Python remembers each name that it does not find.
    """
    if charset is None or charset.lower() in ("utf-8", "utf8"):
        return None
    name = normalize_encoding(charset).lower()
    codec = aliases.get(name, name)
    if codec == "utf_8" or codec not in aliases.values():
        return None
    try:
        return codec if _PROBE.decode(codec) == _PROBE.decode("ascii") else None
    except (LookupError, UnicodeError):
        return None


def convert_to_utf8(data: bytes, charset: str | None) -> bytes:
    """The same text in UTF-8, where the declared charset can be trusted and fits; else `data`."""
    codec = find_codec(charset)
    if codec is None or data.isascii():
        return data
    try:
        return data.decode(codec).encode()
    except UnicodeError:
        return data


def decode_text(data: bytes, codec: str | None, problems: set[str]) -> str:
    """Text that any database stores, from any bytes; adds `charset` and `control` to `problems`.

    `codec` is what `find_codec` gave; after it come UTF-8, then Windows-1252 (`charset`). NUL and
    lone surrogates become U+FFFD (`control`): PostgreSQL stores neither. A leading UTF-8 byte
    order mark is dropped.
    """
    if data.isascii():
        text = data.decode("ascii")
    else:
        text = _decode_wide(data.removeprefix(BYTE_ORDER_MARK), codec, problems)
    if "\0" in text:
        problems.add("control")
        text = text.replace("\0", "\ufffd")
    return text


def _decode_wide(data: bytes, codec: str | None, problems: set[str]) -> str:
    for candidate in (codec, "utf-8"):
        try:
            if candidate is not None:
                return data.decode(candidate)
        except UnicodeError:
            continue
    try:
        return _join_surrogates(data.decode("utf-8", "surrogatepass"), problems)
    except UnicodeDecodeError:
        problems.add("charset")
        return data.decode("cp1252", "surrogateescape").translate(_UNDEFINED_BYTES)


def _join_surrogates(text: str, problems: set[str]) -> str:
    # Two in a row are an emoji as Java writes it (CESU-8); a lone one comes from a JSON escape.
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    lone = joined.count("\ufffd") > text.count("\ufffd")
    problems.add("control" if lone else "charset")
    return joined
