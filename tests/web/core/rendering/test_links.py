"""Web addresses in texts: which become links, and that hostile texts stay text."""

import re
from html import unescape
from time import perf_counter

import pytest

from app.web.core.rendering.links import link_addresses

LINKED = [
    ("See https://example.com/a?b=1&c=2#d now", ["https://example.com/a?b=1&c=2#d"]),
    ("HTTP://EXAMPLE.COM", ["HTTP://EXAMPLE.COM"]),
    ("http://192.0.2.1:8080/x", ["http://192.0.2.1:8080/x"]),
    ("www.example.com/x", ["https://www.example.com/x"]),
    ("https://a.example\nhttps://b.example", ["https://a.example", "https://b.example"]),
    # What ends a sentence is no part of an address; a bracket that was opened in it is.
    ("Look: https://example.com.", ["https://example.com"]),
    ("Seen https://example.com/a?!…", ["https://example.com/a"]),
    ("“https://example.com/a”", ["https://example.com/a"]),
    ("(https://example.com/a)", ["https://example.com/a"]),
    ("(see https://example.com/a_(b))", ["https://example.com/a_(b)"]),
    ("[https://example.com/a],", ["https://example.com/a"]),
    ("https://example.com/K\u00f6ln", ["https://example.com/K\u00f6ln"]),
    # It ends before a character that is invisible or turns the direction of writing.
    ("https://example.com/\u202egpj.exe", ["https://example.com/"]),
    ("https://example.com/a\u200bb", ["https://example.com/a"]),
    ("\u202ehttps://example.com/a", ["https://example.com/a"]),
    # Nothing gets out of the attribute.
    ('https://example.com/"onclick="x', ["https://example.com/"]),
    ("https://example.com/<b>'&amp;", ["https://example.com/"]),
    ("https://example.com/'onclick='x", ["https://example.com/'onclick='x"]),
]
PLAIN = [
    "javascript:alert(1)",
    "JavaScript:https:/example.com",
    "data:text/html,<script>alert(1)</script>",
    "ftp://example.com",
    "file:///etc/passwd",
    "//example.com",
    "example.com",
    "ada@www.example.com",
    "Call 07700 900123 or +44 7700 900123",
    # Where they lead is not what they seem to name.
    "https://bank.example@evil.example",
    "https://bank.example:443@evil.example/x",
    "https://bank.example\\@evil.example",
    "https://b\u0430nk.example",
    "https://bank.example\u3002evil.example",
    "https://%62ank.example",
    "https://2130706433/",
    "https://[::1]/",
    "https://",
    "www.",
    "https://localhost",
    "<script>alert('x')</script>",
    "<a href=x>y</a>",
    "\u202e\u2066\u200b",
]
ANCHOR = re.compile(
    r'<a href="([^"<>]+)" dir="ltr" rel="noopener noreferrer" target="_blank">([^<>]+)</a>'
)


def read_text(page: str) -> str:
    """What a browser shows of it."""
    return unescape(ANCHOR.sub(r"\2", page))


@pytest.mark.parametrize(("text", "links"), LINKED)
def test_an_address_becomes_a_link_that_reads_as_it_came(text: str, links: list[str]) -> None:
    page = str(link_addresses(text))
    assert [unescape(href) for href, _ in ANCHOR.findall(page)] == links
    assert read_text(page) == text
    assert "<" not in ANCHOR.sub("", page)


@pytest.mark.parametrize("text", PLAIN)
def test_what_is_no_plain_address_stays_text(text: str) -> None:
    page = str(link_addresses(text))
    assert "<" not in page
    assert unescape(page) == text


@pytest.mark.parametrize(
    "text",
    [
        "https://a.example/" + ")" * 65_000,
        "https://" * 8_000,
        "https://" + "a." * 32_000 + "@",
        "https://" + "a" * 65_000,
        "https://a.example " * 3_600,
        "www." * 16_000,
        "x" * 65_000,
    ],
    ids=lambda text: text[:14],
)
def test_a_text_as_long_as_a_forward_can_be_is_quickly_done(text: str) -> None:
    began = perf_counter()
    page = str(link_addresses(text))
    assert perf_counter() - began < 2
    assert read_text(page) == text
