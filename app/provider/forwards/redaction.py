"""Removes the matching secret from everything that is kept of a forward."""

import re
from dataclasses import replace
from functools import lru_cache

from app.domain.inbound.messages import RawForward
from app.domain.inbound.urlencoded import join_form
from app.provider.forwards.charsets import read_charset
from app.provider.forwards.parameters import FIELDS, fold_name

# A shorter secret, or one of digits only, could be a word or number in somebody's text.
_MIN_DISTINCT = 12


def holds_secret(value: bytes, secret: bytes) -> bool:
    """Whether `cut_secret` would find it there."""
    return _make_pattern(secret).search(value) is not None


def cut_secret(raw: RawForward, secret: bytes) -> RawForward:
    """The forward without the secret, however escaped; the same object if it has none.

    Removed from names, values and the content type, but from documented parameters only if it could
    be nothing else.
    """
    pattern = _make_pattern(secret)
    spares_fields = len(secret) < _MIN_DISTINCT or secret.isdigit()
    kept = raw.pairs
    cut = [
        (name, value)
        if spares_fields and fold_name(name) in FIELDS
        else (pattern.sub(b"", name), pattern.sub(b"", value))
        for name, value in kept
    ]
    content_type = pattern.sub(b"", raw.content_type.encode("latin-1")).decode("latin-1")
    if cut == kept and content_type == raw.content_type:
        return raw
    charset = raw.charset
    if charset is not None and content_type != raw.content_type:
        charset = read_charset(content_type.encode("latin-1"))
    return replace(raw, content_type=content_type, charset=charset, form=join_form(cut))


@lru_cache(maxsize=256)
def _make_pattern(secret: bytes) -> re.Pattern[bytes]:
    """Finds the secret with any of its characters escaped for URLs, JSON, XML or e-mail."""
    try:
        text = secret.decode()
    except UnicodeDecodeError:
        text = secret.decode("latin-1")
    first = re.escape(text[:1].encode() + text[:1].encode("latin-1", "ignore"))
    # Skips most positions without trying the alternatives.
    start = rb"(?=[%b%%\\&=+ ])" % first
    # The first scans a run of backslashes once, not from each of them.
    escaped = [_make_alternatives(text[0], rb"(?<!\\)\\+")]
    escaped += [_make_alternatives(character, rb"\\+") for character in text[1:]]
    return re.compile(start + b"".join(escaped), re.DOTALL)


def _make_alternatives(character: str, slashes: bytes) -> bytes:
    """`slashes` matches backslashes: one or, in JSON within JSON, many."""
    code = ord(character)
    units = character.encode("utf-16-be", "surrogatepass").hex()
    encoded = {character.encode("utf-8", "surrogatepass")}
    if code < 256:
        encoded.add(character.encode("latin-1"))
    escapes = [
        *(b"(?:%b)" % b"".join(_make_byte(byte) for byte in each) for each in encoded),
        # `\u0041` and `%u0041`.
        b"".join(
            b"(?i:(?:%b|%%(?:25){0,8})u%b)" % (slashes, units[at : at + 4].encode())
            for at in range(0, len(units), 4)
        ),
        b"(?i:&(?:amp;){0,8}#(?:0*%d|x0*%x);?)" % (code, code),
    ]
    if named := _NAMED.get(character):
        escapes.append(b"&(?:amp;){0,8}%b;" % named)
    if character in " +":
        escapes.append(rb"[ +]")
    if character in _BACKSLASHED:
        escapes.append(slashes + re.escape(character.encode()))
    return b"(?:" + b"|".join(escapes) + b")"


def _make_byte(byte: int) -> bytes:
    """The byte itself, percent-encoded any number of times, or in quoted-printable."""
    return rb"(?:%b|(?i:(?:%%(?:25){0,8}|=)%02x))" % (re.escape(bytes([byte])), byte)


_NAMED = {"&": b"amp", "<": b"lt", ">": b"gt", '"': b"quot", "'": b"apos"}
_BACKSLASHED = frozenset("\"\\/'")
