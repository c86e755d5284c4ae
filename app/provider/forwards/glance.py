"""Guesses by a quick search whether a request is a forward, and for which number."""

import re

from app.domain.errors import TooLarge
from app.domain.inbound.urlencoded import unquote
from app.domain.numbers import normalise_number
from app.provider.forwards.bodies import inflate
from app.provider.forwards.charsets import read_wide
from app.provider.forwards.parameters import KNOWN_NAME, MAX_NUMBER

# From the beginning and from the end: a long text may stand before the other parameters.
_GLANCE = 2048
# In a query or a form, in JSON, XML and multipart, whose headers are few: strangers send whatever
# takes long.
_DEST = re.compile(
    rb"""(?:\A|[&?:;,|!/\#\n])dest(?:\[\d*\])?=([^&;\s]{1,N})"""
    rb"""|"dest\\*"\s*:\s*\\*"?([^",}\\]{1,N})"""
    rb"""|<dest>([^<]{1,N})|\bname="?dest\b[^\n]{0,99}\n(?:[^\r\n]{1,99}\r?\n){0,3}\r?\n([^\r\n]{1,N})""".replace(
        b"N}", b"%d}" % MAX_NUMBER
    ),
    re.IGNORECASE,
)
# The names of a forward, in a URL and in a body of any kind: only where a parameter's name can be,
# since any text may have these words.
_NAMES = rb"(?P<name>auth|source|dest|msg)"
_URL_NAMES = re.compile(rb"(?:\A|[&?:;,|!/\#])" + _NAMES + rb"(?:\[\d*\])?=", re.IGNORECASE)
_BODY_NAMES = re.compile(
    rb"""(?:\A|[&;\n]|\bname=["']?|["'](?=\w+\\*["']\s*:)|<(?=\w+[\s>])|\s(?=\w+=["']))"""
    + _NAMES
    + rb"""(?=(?:\[\d*\])?[\\"'\s]*[=:>;\r\n])""",
    re.IGNORECASE,
)
# A forward by these alone: whoever has the path wrong may have forgotten the auth value as well.
_TEXT = {b"source", b"dest", b"msg"}
_PATH = re.compile(rb"\A[^=]*?[^\w=](?=" + KNOWN_NAME + rb"=)", re.IGNORECASE)


def peek_dest(query: bytes, body: bytes, region: str) -> str:
    """The number that a request is for, by a quick search; for requests that are not parsed."""
    found = _DEST.search(_glance(query)) or _DEST.search(_glance(body))
    text = unquote(found[found.lastindex or 0]).decode("latin-1") if found else ""
    return normalise_number(text, region)


def seems_forward(url: bytes, body: bytes = b"") -> bool:
    """Whether a request has parameters of a forward; it is not parsed.

    These are `auth` and one of the others, or all the others.
    """
    found = _URL_NAMES.findall(_glance(url)) + _BODY_NAMES.findall(_glance(body))
    names = {name.lower() for name in found}
    return (len(names) > 1 and b"auth" in names) or names >= _TEXT


def cut_path(url: bytes) -> bytes:
    """The query of a URL, whatever separates the two."""
    return _PATH.sub(b"", url, 1)


def reveal(body: bytes, coding: bytes) -> bytes:
    """A body as it can be searched: not compressed, nor in UTF-16 or UTF-32."""
    try:
        plain = inflate(body, coding, set())
    except TooLarge:
        return body
    wide = read_wide(plain, None, set())
    return plain if wide is None else wide


def _glance(data: bytes) -> bytes:
    return data if len(data) <= 2 * _GLANCE else data[:_GLANCE] + data[-_GLANCE:]
