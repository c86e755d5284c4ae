"""Queries that people and programs write without escapes, or put together wrongly."""

import pytest

from app.provider.forwards.forwarding import read_request
from tests.provider.forwards.receiving import (
    FORM,
    WHOLE,
    assert_fields,
    receive,
)


@pytest.mark.parametrize(
    ("query", "body", "problems"),
    [
        pytest.param("msg=café €".encode(), "café €", (), id="UTF-8 as it is"),
        pytest.param(b"msg=caf\xe9 \x80", "café €", ("charset",), id="Windows-1252 as it is"),
        pytest.param(b"msg=Hi there, you&x=1 2", "Hi there, you", (), id="spaces as they are"),
        pytest.param(b"msg=caf%u00E9 %u20AC", "café €", ("charset",), id="wide escapes"),
        pytest.param(b"MSG[0]=Hi", "Hi", (), id="a list of one"),
        pytest.param(b"amp;msg=Hi", "Hi", (), id="an ampersand from a page's source"),
        pytest.param(b"_charset_=iso-8859-15&msg=%A4", "€", (), id="a charset of its own"),
    ],
)
def test_a_loosely_written_query_is_read(
    query: bytes, body: str, problems: tuple[str, ...]
) -> None:
    message = receive(WHOLE + b"&" + query)
    assert (message.body, message.problems) == (body, problems)


@pytest.mark.parametrize(
    ("written", "body", "extra"),
    [
        pytest.param("Tom%20&%20Jerry&x=1", "Tom & Jerry", {"x": "1"}, id="JavaScript's encodeURI"),
        pytest.param("a & b & c", "a & b & c", {}, id="raw spaces"),
        pytest.param("a+&+b", "a & b", {}, id="plus signs"),
        pytest.param("AT&T rocks&x=1", "AT&T rocks", {"x": "1"}, id="words behind it"),
        pytest.param("M&S%20and+A&E+", "M&S and A&E ", {}, id="escaped spaces"),
        pytest.param("Hi& x=1& MM1=A", "Hi", {" x": "1"}, id="separators with spaces"),
        pytest.param("Hi&MM1&MM2", "Hi", {}, id="known names without a value"),
        pytest.param("Hi&", "Hi", {}, id="nothing"),
        pytest.param("Hi&x=&flag", "Hi", {"x": "", "flag": ""}, id="a name alone"),
    ],
)
def test_an_ampersand_between_spaces_belongs_to_the_text(
    written: str, body: str, extra: dict[str, str]
) -> None:
    form = WHOLE + b"&msg=" + written.encode()
    for message in (receive(form), receive(content_type=FORM, body=form)):
        assert_fields(message, {"body": body, "extra": extra, "problems": ()})


@pytest.mark.parametrize(
    ("written", "extra"),
    [
        ("AT&T", {"T": ""}),
        ("AT&T&MM1=A", {"T": ""}),
        ("Hi&flag&x=1", {"flag": "", "x": "1"}),
        ("Hi&+%20", {"  ": ""}),
        ("Hi&caf%C3%A9", {"caf\u00e9": ""}),
    ],
)
def test_what_may_be_the_rest_of_a_text_is_flagged(written: str, extra: dict[str, str]) -> None:
    body = written.partition("&")[0]
    form = b"MSG=" + written.encode() + b"&" + WHOLE
    for message in (receive(form), receive(content_type=FORM, body=form)):
        assert_fields(message, {"body": body, "extra": extra, "problems": ("charset",)})


def test_a_query_that_was_added_to_a_query_is_one() -> None:
    query = b"auth=se-cret?" + WHOLE + b"&msg=Why?id=5"
    request = read_request("GET", query, b"", b"")
    assert request.auth == b"se-cret"
    assert_fields(receive(query), {"source": "447700900123", "body": "Why?id=5", "extra": {}})
    assert read_request("GET", b"auth=what?&msg=Hi", b"", b"").auth == b"what?"


@pytest.mark.parametrize(
    ("before", "extra"),
    [
        ("?", {}),
        ("??", {}),
        ("x=1?", {"x": "1"}),
        ("x=1&auth=a&y?", {"x": "1", "y": ""}),
        ("/inbound?", {"/inbound": ""}),
    ],
)
@pytest.mark.parametrize("content_type", [b"", FORM])
def test_a_question_mark_too_many_hides_no_parameter(
    before: str, extra: dict[str, str], content_type: bytes
) -> None:
    form = before.encode() + WHOLE + b"&msg=Why?source=5"
    message = receive(content_type=FORM, body=form) if content_type else receive(form)
    expected = {"source": "447700900123", "body": "Why?source=5", "extra": extra, "problems": ()}
    assert_fields(message, expected)


def test_a_question_mark_in_an_unknown_parameter_belongs_to_it() -> None:
    message = receive(b"text=Why?id=5&" + WHOLE + b"&msg=Hi")
    assert (message.provider_id, message.extra) == ("17", {"text": "Why?id=5"})
    message = receive(WHOLE + b"&text=Why?MM1=5&msg=Hi")
    assert (message.merge_fields, message.extra) == ({}, {"text": "Why?MM1=5"})
