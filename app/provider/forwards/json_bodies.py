"""Splits a JSON body into pairs, even if it is damaged, nested or truncated."""

import json
import re

from app.domain.inbound.urlencoded import Parameter
from app.provider.forwards.parameters import AUTH, FIELDS, MAX_PAIRS, OPAQUE, fold_name

_MAX_DEPTH = 4
# An object with one of these holds all parameters.
_OF_A_TEXT = {b"source", b"dest", b"msg"}

_OPENING = re.compile(rb'[ \t\r\n]*(\[[ \t\r\n]*)?\{[ \t\r\n]*(?=["}])')
_COLON = re.compile(r"[ \t\r\n]*:[ \t\r\n]*")
_AFTER = re.compile(r"[ \t\r\n]*(?:,[ \t\r\n]*|(?=\}))")
_ESCAPES = re.compile(rb"(?:\\u[0-9a-f]{4})+|\\.", re.IGNORECASE | re.DOTALL)
_SPACES = re.compile(rb'("[^"\\]*(?:\\.[^"\\]*)*")|[ \t\r\n]+', re.DOTALL)
_LONE_ELEMENT = re.compile(rb'\[("[^"\\]*(?:\\.[^"\\]*)*"|[^\[\]{}",]+)\]', re.DOTALL)
# A string member at the end of a truncated body, without its closing quote or with half an escape.
_CUT_MEMBER = re.compile(
    rb'("[^"\\]*+(?:\\.[^"\\]*+)*+")[ \t\r\n]*+:[ \t\r\n]*+'
    rb'"([^"\\]*+(?:\\.[^"\\]*+)*+)"?\\?[ \t\r\n]*+',
    re.DOTALL,
)
_CUT_ESCAPE = re.compile(rb"(?<!\\)((?:\\\\)*)\\u[0-9a-f]{0,3}\Z", re.IGNORECASE)
_AUTH_MEMBER = re.compile(
    rb'"auth"\s*:\s*(?:"([^"\\]*(?:\\.[^"\\]*)*)(?:"|\\?\Z)|([^\s",}]+))',
    re.IGNORECASE | re.DOTALL,
)
_CONTROLS = {b"\\b": b"\b", b"\\f": b"\f", b"\\n": b"\n", b"\\r": b"\r", b"\\t": b"\t"}

# A member's name and the literal of its value.
_Member = tuple[bytes, bytes]


def is_json(body: bytes) -> bool:
    """Whether it begins like an object or a list of objects."""
    return _OPENING.match(body) is not None


def decode_twice(body: bytes) -> bytes:
    """Undo JSON that was encoded twice, as a string."""
    text = body.strip()
    if not text.startswith((b'"{', b'"[')) or not text.endswith(b'"'):
        return body
    inner = _unescape(text[1:-1])
    return inner if is_json(inner) else body


def split_json(body: bytes, problems: set[str]) -> list[Parameter]:
    """One pair for each member of an object, in order, repeats too.

    Strings give their text, other scalars their digits or word, null nothing, nested values their
    JSON without spaces. A member counts only if `,` or `}` follows, so an unescaped quote never
    yields half a text; the last member of a truncated body is kept as far as it goes, which adds
    `charset`. If one object holds all the parameters, it is opened; a list of one element is that
    element. Another object behind it is kept as one pair, and adds `repeated`.
    """
    opening = _OPENING.match(body)
    if opening is None:
        return keep_opaque(body)
    members, rest = _read_members(body, opening.end())
    if opening[1]:
        if rest.strip() != b"]" or not _has_text(members):
            return keep_opaque(body)
        rest = b""
    pairs = [(name, _read_value(name, literal)) for name, literal in _unwrap(members)]
    cut = _CUT_MEMBER.fullmatch(rest)
    if cut is None:
        if is_json(rest.lstrip(b" \t\r\n,;\x1e")):
            problems.add("repeated")
        return pairs + keep_opaque(rest)
    problems.add("charset")
    value = _unescape(_CUT_ESCAPE.sub(rb"\1", cut[2]))
    return [*pairs, (_read_text(cut[1]), _mark_cut(value))]


def keep_opaque(data: bytes) -> list[Parameter]:
    """An unreadable body without the `auth` members that damaged JSON may contain."""
    members = _AUTH_MEMBER.findall(data)
    pairs = [(AUTH, number or _unescape(text)) for text, number in members[:MAX_PAIRS]]
    rest = _AUTH_MEMBER.sub(b"", data) if members else data
    if rest.strip():
        pairs.append((OPAQUE, rest))
    return pairs


def _read_members(body: bytes, at: int) -> tuple[list[_Member], bytes]:
    """The members from the first one on, and the rest after the object or from the error on."""
    # As Latin-1 every byte is one character, so positions in the text are positions in the body.
    text = body.decode("latin-1")
    decoder = json.JSONDecoder(strict=False, parse_int=str)
    members: list[_Member] = []
    try:
        while not text.startswith("}", at):
            if len(members) == MAX_PAIRS:
                return members, body[at:]
            name_end = _scan(decoder, text, at, only='"')
            value_at = _skip(_COLON, text, name_end)
            value_end = _scan(decoder, text, value_at)
            after = _skip(_AFTER, text, value_end)
            members.append((_read_text(body[at:name_end]), body[value_at:value_end]))
            at = after
    except (ValueError, RecursionError):
        return members, body[at:]
    return members, body[at + 1 :]


def _unwrap(members: list[_Member], depth: int = 0) -> list[_Member]:
    """The members of the inner object with the parameters, if the outer one has none."""
    if depth == _MAX_DEPTH or _has_text(members):
        return members
    for place, (_, literal) in enumerate(members):
        opening = _OPENING.match(literal)
        if opening is None:
            continue
        inner, rest = _read_members(literal, opening.end())
        inner = _unwrap(inner, depth + 1)
        if rest.strip() == (b"]" if opening[1] else b"") and _has_text(inner):
            return members[:place] + inner + members[place + 1 :]
    return members


def _has_text(members: list[_Member]) -> bool:
    return any(fold_name(name) in _OF_A_TEXT for name, _ in members)


def _scan(decoder: json.JSONDecoder, text: str, at: int, only: str = "") -> int:
    if not text.startswith(only, at):
        raise ValueError
    _, end = decoder.raw_decode(text, at)
    return end


def _skip(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    if found is None:
        raise ValueError
    return found.end()


def _read_value(name: bytes, literal: bytes) -> bytes:
    if not literal.startswith((b"{", b"[")):
        return _read_text(literal)
    literal = b"".join(filter(None, _SPACES.split(literal)))
    element = _LONE_ELEMENT.fullmatch(literal)
    if element and fold_name(name) in FIELDS.keys() | {AUTH}:
        return _read_text(element[1])
    return literal


def _read_text(literal: bytes) -> bytes:
    if literal.startswith(b'"'):
        return _unescape(literal[1:-1])
    return b"" if literal == b"null" else literal


def _unescape(literal: bytes) -> bytes:
    return _ESCAPES.sub(_read_escape, literal) if b"\\" in literal else literal


def _read_escape(escape: re.Match[bytes]) -> bytes:
    if escape[0].startswith((b"\\u", b"\\U")) and len(escape[0]) > 2:
        units = bytes.fromhex(escape[0][2:].lower().replace(b"\\u", b"").decode())
        return units.decode("utf-16-be", "surrogatepass").encode("utf-8", "surrogatepass")
    return _CONTROLS.get(escape[0], escape[0][1:])


def _mark_cut(text: bytes) -> bytes:
    """With U+FFFD for a truncated character."""
    try:
        text.decode()
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data":
            return text[: error.start] + "\ufffd".encode()
    return text
