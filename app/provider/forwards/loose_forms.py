"""Splits a query or urlencoded body, however loosely it was written."""

import re
from itertools import islice

from app.domain.inbound.urlencoded import BYTE_ORDER_MARK, Parameter, split_form
from app.provider.forwards.parameters import (
    AUTH,
    FIELDS,
    KNOWN_NAME,
    MAX_PAIRS,
    OPAQUE,
    fold_name,
)

# `%u20AC`, as JavaScript's escape() and classic ASP write it, and the Latin-1 that goes with it.
_UNITS = re.compile(rb"%u[0-9a-f]{4}", re.IGNORECASE)
_WIDE_ESCAPES = re.compile(rb"((?:%u[0-9a-f]{4})+)|(?:%[89a-f][0-9a-f])+", re.IGNORECASE)

# Runs of them; no real text has as many.
_MAX_WIDE_ESCAPES = 1_000

# A whole query may be appended to the URL on the provider's page, which has one already: `auth`, or
# anything that is no field of a text. A `?` before a name that comes again is part of a value.
_FIELD_NAME = b"(?:" + b"|".join(FIELDS) + b")"
_SECOND_QUERY = re.compile(
    rb"\A((?:(?!" + _FIELD_NAME + rb"=)[^&?]*+&)*+(?!" + _FIELD_NAME + rb"=)[^&?]*+)\?++"
    rb"(?=(" + KNOWN_NAME + rb")=)(?!.*&\2=)",
    re.IGNORECASE | re.DOTALL,
)
# As JavaScript's encodeURI leaves it in a text: no name has a space in it and no value.
_SPACE = rb"(?:%20|[+ ])"
_AMPERSAND = re.compile(
    rb"&(?=(?:%b++[^&=]++|(?:(?!%b)[^&=])++%b[^&=]*+)(?:&|\Z))" % (_SPACE, _SPACE, _SPACE)
)
# Perhaps the rest of a text with an `&`, such as AT&T, perhaps a name without a value.
_LOOSE_AMPERSAND = re.compile(
    rb"(?:\A|&)msg=[^&]*+&(?!" + KNOWN_NAME + rb"(?:&|\Z))[^&=]++(?:&|\Z)", re.IGNORECASE
)
_SEMICOLON = re.compile(rb";(?=" + KNOWN_NAME + rb"=)", re.IGNORECASE)
_LINE = re.compile(rb"(?:\A|\r?\n)[ \t]*(" + KNOWN_NAME + rb")[ \t]*=", re.IGNORECASE)
_LATER_NAME = re.compile(rb"&(?:amp;)?" + KNOWN_NAME + rb"=", re.IGNORECASE)
_KNOWN_PIECE = re.compile(
    rb"&(?=[adimrsADIMRS])((?:amp;)?" + KNOWN_NAME + rb"(?:\[\d*\])?)=([^&]*)", re.IGNORECASE
)


def split_loose_form(form: bytes, problems: set[str]) -> list[Parameter]:
    """The pairs of a form with possibly unusual separators or escapes.

    `;` separates if there is no `&`, and so does a `?` where another query was appended. `%u20AC`
    is read too, which adds `charset`. `&` before words without a `=` belongs to the value; before a
    single word behind the text it may do so, which adds `charset`. In a form with more than
    MAX_PAIRS only the known parameters are separate; the rest is one pair named `body`.
    """
    if b"?" in form:
        form = _SECOND_QUERY.sub(rb"\1&", form)
    form = _AMPERSAND.sub(b"%26", form)
    if _LOOSE_AMPERSAND.search(form):
        problems.add("charset")
    if b"&" not in form:
        separated, count = _SEMICOLON.subn(b"&", form, MAX_PAIRS)
        form = separated if count > 1 else form
    rest = b""
    if form.count(b"&") > MAX_PAIRS:
        form, rest = _thin_out(form)
    if _UNITS.search(form):
        problems.add("charset")
        form = _WIDE_ESCAPES.sub(_read_wide_escape, form, _MAX_WIDE_ESCAPES)
    pairs = split_form(form)
    if rest:
        pairs.append((OPAQUE, rest))
    return pairs


def split_lines(text: bytes) -> list[Parameter] | None:
    """The pairs of a text with one `name=value` per line, as browsers send text/plain; else None.

    A line that does not begin with a known name continues the value before it. Nothing is escaped.
    """
    if _LATER_NAME.search(text):
        return None
    found = list(islice(_LINE.finditer(text), MAX_PAIRS))
    if len(found) < 2 or found[0].start() > 0:
        return None
    ends = [line.start() for line in found[1:]] + [len(text)]
    return [
        (line[1], text[line.end() : end].strip(b"\r\n"))
        for line, end in zip(found, ends, strict=True)
    ]


def _thin_out(form: bytes) -> tuple[bytes, bytes]:
    """The first pieces and all known ones, and the rest."""
    pieces = form.removeprefix(BYTE_ORDER_MARK).split(b"&", MAX_PAIRS)
    # Text, name, value, text, name, value, …
    cut = _KNOWN_PIECE.split(b"&" + pieces.pop())
    rest = cut[:1]
    seen: set[bytes] = set()
    for name, value, text in zip(cut[1::3], cut[2::3], cut[3::3], strict=True):
        folded = fold_name(name)
        if folded not in seen:
            seen.add(folded)
            pieces.append(name + b"=" + value)
        elif folded != AUTH:
            rest.append(b"&%b=%b" % (name, value))
        rest.append(text)
    return b"&".join(pieces), b"".join(rest).strip(b"&")


def _read_wide_escape(escapes: re.Match[bytes]) -> bytes:
    """The same characters as percent escapes of UTF-8."""
    digits = escapes[0].replace(b"%", b"").decode()
    if escapes[1]:
        units = bytes.fromhex(digits.replace("u", "").replace("U", ""))
        data = units.decode("utf-16-be", "surrogatepass").encode("utf-8", "surrogatepass")
    else:
        data = bytes.fromhex(digits)
        try:
            data.decode()
        except UnicodeDecodeError:
            data = data.decode("latin-1").encode()
    return b"%" + data.hex("%").encode()
