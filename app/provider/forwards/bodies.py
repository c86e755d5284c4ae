"""Splits the bytes of a body into name/value pairs without losing any."""

import html
import re
import zlib

from app.domain.errors import TooLarge
from app.domain.inbound.urlencoded import BYTE_ORDER_MARK, Parameter
from app.provider.forwards.charsets import convert_to_utf8, read_charset, read_wide
from app.provider.forwards.json_bodies import decode_twice, is_json, keep_opaque, split_json
from app.provider.forwards.loose_forms import split_lines, split_loose_form
from app.provider.forwards.multipart import find_boundary, split_multipart
from app.provider.forwards.parameters import KNOWN_NAME, MAX_PAIRS, OPAQUE

# Size limits of a forward: its query, and its body before and after decompression.
MAX_BYTES = 64 * 1024

_FORM_TYPE = b"application/x-www-form-urlencoded"
_FORM_START = re.compile(rb'(?![\[{"<])[^\s=]*=')

_GZIP_START = b"\x1f\x8b\x08"
# Parts that each are a gzip; nobody needs as many.
_MAX_MEMBERS = 256
# zlib's codes for gzip or zlib, detected, and for the raw form that some mean by deflate.
_BARE = -15
_WINDOWS = (47, _BARE)

# `sms[auth]`, `sms.auth`
_NESTED_AUTH = re.compile(rb"[\[.]auth\]?\Z", re.IGNORECASE)
# `auth: x`, `'auth': 'x'`, `[auth] => x`, `auth="x"`, `"auth":"x"`
_LOOSE_AUTH = re.compile(
    rb"\bauth\b[\"'\]]?\s*+(?:=>|[:=])\s*+(?:[\"']([^\"'<>]*)[\"']|([^\s\"',;&<>})\]]+))",
    re.IGNORECASE,
)

_XML_START = re.compile(rb"\s*<[?!\w]")
_XML_ENCODING = re.compile(rb"\s*<\?xml[^>]*\sencoding\s*=\s*[\"']([\w.:-]+)")
_XML_ELEMENT = re.compile(
    rb"<(?:[\w.-]+:)?(" + KNOWN_NAME + rb")(?:\s[^<>]*)?>([^<]*)</", re.IGNORECASE
)
_XML_REFERENCE = re.compile(rb"&#(?:x([0-9a-f]{1,8})|([0-9]{1,8}));", re.IGNORECASE)
_SPACE = 0x20
_SURROGATES = range(0xD800, 0xE000)


def inflate(body: bytes, coding: bytes, problems: set[str]) -> bytes:
    """A body after undoing gzip or deflate; unchanged if it is in neither.

    Undeclared gzip is recognised by its first bytes. A truncated body adds `charset`. Raises
    TooLarge.
    """
    codings = [each.strip().lower() for each in coding.split(b",")[:4]]
    rounds = sum(each in {b"gzip", b"x-gzip", b"deflate"} for each in codings)
    for _ in range(rounds or body.startswith(_GZIP_START)):
        body = _inflate_once(body, problems)
    return body


def split_body(
    body: bytes, content_type: bytes, problems: set[str]
) -> tuple[list[Parameter], str | None]:
    """The pairs of a body, and the declared charset that their bytes are still in.

    Trusts the body's content before its declared type, which is often wrong or missing. UTF-16 and
    UTF-32, JSON, XML and multipart with a charset are converted to UTF-8 (None): their escapes and
    parts have their own charsets. Anything that fits no format is one pair named `body`; so is the
    rest after an error. Problems of the bytes are added to `problems`.
    """
    charset = read_charset(content_type)
    wide = read_wide(body, charset, problems)
    if wide is not None:
        body, charset = wide, None
    body = decode_twice(body.removeprefix(BYTE_ORDER_MARK))
    boundary = find_boundary(body, content_type)
    if boundary is not None:
        return split_multipart(body, boundary, charset, problems), None
    if is_json(body):
        return split_json(convert_to_utf8(body, charset, problems), problems), None
    is_form = content_type.partition(b";")[0].strip().lower() == _FORM_TYPE
    if _XML_START.match(body) and (not is_form or b"</" in body):
        return _split_xml(body, charset, problems), None
    line = body.strip(b"\r\n\0")
    if is_form or _FORM_START.match(line):
        lines = None if is_form else split_lines(line)
        return split_loose_form(line, problems) if lines is None else lines, charset
    return keep_opaque(body), charset


def find_loose_auths(pairs: list[Parameter]) -> list[bytes]:
    """A probable `auth` value if no parameter is named so: nested, or in any kind of text.

    Only used to admit the request: the text is kept unchanged except for the value that matched.
    """
    found = [value for name, value in pairs if _NESTED_AUTH.search(name)]
    for name, value in pairs:
        if name == OPAQUE or value.startswith((b"{", b"[")):
            found += [bare or quoted for quoted, bare in _LOOSE_AUTH.findall(value)]
    return found


def _inflate_once(body: bytes, problems: set[str]) -> bytes:
    for window in _WINDOWS:
        try:
            inflated, is_whole, rest = _inflate_members(body, window)
        except zlib.error:
            continue
        if len(inflated) + len(rest) > MAX_BYTES:
            raise TooLarge("it is over 64 KiB once decompressed")
        if is_whole and not rest:
            return inflated
        # Raw deflate has no header: with an odd end it might not have been compressed at all.
        if window != _BARE and (is_whole or inflated):
            problems.add("charset")
            return inflated + rest
    return body


def _inflate_members(body: bytes, window: int) -> tuple[bytes, bool, bytes]:
    """What it inflates to, whether to its end, and what follows that.

    A gzip may be several, one behind the other. Raises zlib.error for what does not begin as one.
    """
    inflated = b""
    for _ in range(_MAX_MEMBERS):
        inflating = zlib.decompressobj(window)
        try:
            inflated += inflating.decompress(body, MAX_BYTES + 1 - len(inflated))
        except zlib.error:
            if not inflated:
                raise
            return inflated, True, body
        # Padding is no text.
        body = inflating.unused_data.lstrip(b"\r\n\0")
        if not inflating.eof or not body.startswith(_GZIP_START) or len(inflated) > MAX_BYTES:
            return inflated, inflating.eof, body
    return inflated, True, body


def _split_xml(body: bytes, charset: str | None, problems: set[str]) -> list[Parameter]:
    """The known elements at any depth, and the whole body unchanged."""
    declared = _XML_ENCODING.match(body)
    if charset is None and declared is not None:
        charset = declared[1].decode("latin-1")
    body = convert_to_utf8(body, charset, problems)
    first, *sections = body.split(b"<![CDATA[")
    for section in sections:
        text, end, rest = section.partition(b"]]>")
        first += (html.escape(text.decode("latin-1")).encode("latin-1") + rest) if end else section
    elements = _XML_ELEMENT.findall(first)[:MAX_PAIRS]
    pairs = [(name, _unescape_xml(text)) for name, text in elements]
    return [*pairs, *keep_opaque(body)]


def _unescape_xml(text: bytes) -> bytes:
    if b"&" not in text:
        return text
    text = _XML_REFERENCE.sub(_read_xml_reference, text)
    return html.unescape(text.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def _read_xml_reference(reference: re.Match[bytes]) -> bytes:
    """Surrogates, as some write an emoji, and controls: browsers' rules would drop both."""
    code = int(reference[1], 16) if reference[1] else int(reference[2])
    is_dropped = code < _SPACE or code in _SURROGATES
    return chr(code).encode("utf-8", "surrogatepass") if is_dropped else reference[0]
