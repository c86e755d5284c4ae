"""Decodes the bytes of a forward, in whatever charset they came."""

import codecs
import re
from encodings import normalize_encoding
from encodings.aliases import aliases
from functools import lru_cache

import webencodings  # type: ignore[import-untyped]  # it ships no types

from app.domain.inbound.urlencoded import BYTE_ORDER_MARK

_CHARSET = re.compile(rb'\bcharset\s*=\s*"?([^\s";,]+)', re.IGNORECASE)

# ASCII, then the beginnings of escapes in the codecs that give them a meaning.
_PROBE = bytes(range(128)) + b"\\u0041\\x41\x1b(B~~{"
# Twice as long as the longest known name of a charset.
_MAX_LABEL = 64

# The web's standard (WHATWG) means larger charsets by these names than Python does.
_LARGER = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
    "gb2312": "gb18030",
    "gbk": "gb18030",
}

_MARKS = {
    b"\x00\x00\xfe\xff": "utf-32-be",
    b"\xff\xfe\x00\x00": "utf-32-le",
    b"\xfe\xff": "utf-16-be",
    b"\xff\xfe": "utf-16-le",
}
# Which of the first four bytes are not NUL if a text begins with two ASCII characters.
_NULS = {
    b"\0\0\0\1": "utf-32-be",
    b"\1\0\0\0": "utf-32-le",
    b"\0\1\0\1": "utf-16-be",
    b"\1\0\1\0": "utf-16-le",
}

# In UTF-16 text every other byte may be one of these.
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1f]")
_NO_CHARACTER = re.compile("[\uf8f0-\uf8f3]")

# Windows-1252 leaves five bytes undefined; browsers read them as the control of that number.
_UNDEFINED_BYTES = {0xDC00 + byte: byte for byte in (0x81, 0x8D, 0x8F, 0x90, 0x9D)}


def read_charset(header: bytes) -> str | None:
    """The charset that a Content-Type declares."""
    found = _CHARSET.search(header)
    return found[1].decode("latin-1") if found else None


def find_codec(charset: str | None) -> str | None:
    """Python's codec for a declared charset; None for UTF-8 and for codecs that cannot be trusted.

    A codec is trusted if it leaves ASCII unchanged, so that names and digits keep their meaning.
    That excludes UTF-7, IDNA, escapes, EBCDIC and UTF-16.
    """
    codec = _look_up(charset)
    if codec is None or codec == "utf-8":
        return None
    try:
        return codec if _PROBE.decode(codec) == _PROBE.decode("ascii") else None
    except (LookupError, UnicodeError):
        return None


def is_unused(charset: str | None) -> bool:
    """Whether it is a known charset other than UTF-8 that `find_codec` does not trust."""
    return _look_up(charset) not in (None, "utf-8") and find_codec(charset) is None


def read_wide(data: bytes, charset: str | None, problems: set[str]) -> bytes | None:
    """A body in UTF-16 or UTF-32 converted to UTF-8; None for any other.

    Recognised by a byte order mark, by NULs, or by the declaration if the bytes are not UTF-8. Adds
    `charset` if it was not declared, or was cut off within a character.
    """
    declared = _look_up(charset) or ""
    is_declared = declared.startswith(("utf-16", "utf-32"))
    marked = (codec for mark, codec in _MARKS.items() if data.startswith(mark))
    codec = next(marked, None) or _NULS.get(bytes(map(bool, data[:4])))
    if codec is None and is_declared and (not _is_utf_8(data) or _CONTROLS.search(data)):
        codec = declared
    if codec is None:
        return None
    whole = len(data) - len(data) % (4 if "32" in codec else 2)
    try:
        text = data[:whole].decode(codec, "surrogatepass")
    except UnicodeError:
        return None
    if not is_declared or whole < len(data):
        problems.add("charset")
    return text.encode("utf-8", "surrogatepass")


def convert_to_utf8(data: bytes, charset: str | None, problems: set[str]) -> bytes:
    """The same text in UTF-8 if the declared charset can be trusted and fits; else `data`.

    Adds `charset` if the bytes are UTF-8 but another charset was declared, or if that is unused.
    """
    codec = find_codec(charset)
    if is_unused(charset):
        problems.add("charset")
    if codec is None or data.isascii():
        return data
    if is_single_byte(codec) and _read_utf_8(data, codec, set()) is not None:
        problems.add("charset")
        return data
    text = _decode_declared(data, codec)
    return data if text is None else text.encode()


def decode_text(data: bytes, codec: str | None, problems: set[str]) -> str:
    """Text that any database can store, from any bytes; adds `charset` and `control` to `problems`.

    `codec` is from `find_codec`. Valid UTF-8 is read as UTF-8 whichever single-byte charset was
    declared, because text in one is almost never valid UTF-8. Then the declared charset and
    Windows-1252 are tried. `charset` is added if the declared one was not used. NUL and
    lone surrogates become U+FFFD (`control`): PostgreSQL stores neither. A leading UTF-8 byte order
    mark is dropped.
    """
    if data.isascii():
        text = data.decode("ascii")
    else:
        text = _decode_wide(data.removeprefix(BYTE_ORDER_MARK), codec, problems)
    if "\0" in text:
        problems.add("control")
        text = text.replace("\0", "\ufffd")
    return text


@lru_cache(maxsize=64)
def is_single_byte(codec: str) -> bool:
    """Whether every byte is a character of its own."""
    return all(len(bytes([b, b]).decode(codec, "replace")) == 2 for b in range(128, 256))


def _look_up(charset: str | None) -> str | None:
    """Python's name for a charset label of the web's standard or of Python.

    Only names in these two tables are looked up, because Python caches every unknown name.
    """
    if charset is None or len(charset) > _MAX_LABEL or not charset.isascii():
        return None
    label = charset.strip("'")
    encoding = webencodings.lookup(label)
    if encoding is not None:
        codec: str = encoding.codec_info.name
    else:
        name = normalize_encoding(label).lower()
        codec = aliases.get(name, name)
        if codec not in aliases.values():
            return None
        try:
            codec = codecs.lookup(codec).name
        except LookupError:
            return None
    return _LARGER.get(codec, codec)


def _decode_wide(data: bytes, codec: str | None, problems: set[str]) -> str:
    text = None
    if codec is not None and not is_single_byte(codec):
        text = _decode_declared(data, codec)
    if text is None:
        text = _read_utf_8(data, codec, problems)
        if text is not None and codec is not None:
            problems.add("charset")
    if text is None and codec is not None:
        text = _decode_declared(data, codec)
    if text is None:
        problems.add("charset")
        text = _decode_declared(data, "cp1252")
    if text is None:
        text = data.decode("cp1252", "surrogateescape").translate(_UNDEFINED_BYTES)
    return text


def _decode_declared(data: bytes, codec: str) -> str | None:
    try:
        text = data.decode(codec)
    except UnicodeError:
        return None
    # Not characters in Shift JIS; Python maps them to private ones.
    return None if codec == "cp932" and _NO_CHARACTER.search(text) else text


def _is_utf_8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _read_utf_8(data: bytes, codec: str | None, problems: set[str]) -> str | None:
    """The text of UTF-8 bytes that may be truncated or contain surrogates.

    If another codec was declared, the evidence has to be stronger.
    """
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        head = data[: error.start]
        is_cut = error.reason == "unexpected end of data" and error.end == len(data)
        # A single byte after ASCII is more likely the last letter of a Latin-1 text.
        has_two = codec is None and len(data) - error.start > 1
        if is_cut and (has_two or not head.isascii()):
            problems.add("charset")
            return head.decode() + "\ufffd"
    try:
        return _join_surrogates(data.decode("utf-8", "surrogatepass"), problems)
    except UnicodeDecodeError:
        return None


def _join_surrogates(text: str, problems: set[str]) -> str:
    # Two in a row are an emoji as Java writes it (CESU-8); a lone one comes from a JSON escape.
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    lone = joined.count("\ufffd") > text.count("\ufffd")
    problems.add("control" if lone else "charset")
    return joined
