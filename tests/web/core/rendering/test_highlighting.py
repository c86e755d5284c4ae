"""What a search has found is marked, and nothing in it becomes part of the page."""

import pytest

from app.domain.inbound.queries import fold_words
from app.web.core.rendering.highlighting import mark_number, mark_words, write_excerpt

HOSTILE = '<script>alert("x")</script><mark>&amp;</mark>'


@pytest.mark.parametrize(
    ("q", "shown"),
    [
        (
            "script",
            "&lt;<mark>script</mark>&gt;alert(&#34;x&#34;)&lt;/<mark>script</mark>&gt;&lt;mark&gt;&amp;amp;&lt;/mark&gt;",
        ),
        (
            "<",
            "<mark>&lt;</mark>script&gt;alert(&#34;x&#34;)<mark>&lt;</mark>/script&gt;<mark>&lt;</mark>mark&gt;&amp;amp;<mark>&lt;</mark>/mark&gt;",
        ),
        (
            "&amp;",
            "&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;&lt;mark&gt;<mark>&amp;amp;</mark>&lt;/mark&gt;",
        ),
        ("", "&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;&lt;mark&gt;&amp;amp;&lt;/mark&gt;"),
    ],
)
def test_a_hostile_text_stays_text_whatever_is_marked_in_it(q: str, shown: str) -> None:
    assert str(mark_words(HOSTILE, fold_words(q))) == shown
    assert str(write_excerpt(HOSTILE, fold_words(q))) == shown


def test_an_excerpt_shows_the_place_where_the_words_are() -> None:
    text = "far " * 300 + "the <needle> here " + "away " * 300
    excerpt = str(write_excerpt(text, ["needle"]))
    assert "the &lt;<mark>needle</mark>&gt; here" in excerpt
    assert excerpt.startswith("…far")
    assert excerpt.endswith("…")
    assert len(excerpt) < 220
    assert str(write_excerpt(text, ["nowhere"])).startswith("far far")
    assert "<mark>needle</mark>" in str(write_excerpt("x" * 500 + "needle", ["needle"]))


@pytest.mark.parametrize(
    ("number", "digits", "shown"),
    [
        ("447700900123", "900123", "+44 7700 <mark>900123</mark>"),
        ("447700900123", "00900", "+44 77<mark>00 900</mark>123"),
        ("447700900123", "", "+44 7700 900123"),
        ("447700900123", "5", "+44 7700 900123"),
        ("ACME <b>", "", "<mark>ACME</mark> &lt;b&gt;"),
    ],
)
def test_the_digits_looked_for_are_marked_across_the_blanks_of_a_number(
    number: str, digits: str, shown: str
) -> None:
    assert str(mark_number(number, digits, ["acme"])) == shown
