"""The form's encoding and the plain answers, down to their bytes."""

import csv
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.provider_errors import EmptyAnswer, HtmlAnswer, UnreadableAnswer
from app.provider.tables import RowReader
from app.provider.wire import Form, encode_form, read_body

# What UTF-8 can carry, and PostgreSQL store.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\ufeff"))


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        ("Hello World", b"Hello%20World"),
        ("a+b&c=d%e", b"a%2Bb%26c%3Dd%25e"),
        ("/?#,;:@", b"%2F%3F%23%2C%3B%3A%40"),
        ("~-._", b"~-._"),
        ("\r\n\t\0", b"%0D%0A%09%00"),
        ("é€😀", b"%C3%A9%E2%82%AC%F0%9F%98%80"),
        ("", b""),
    ],
)
def test_values_are_percent_encoded_utf_8(value: str, encoded: bytes) -> None:
    form = Form("Send", (("Body", value),), shows_errors=False)

    assert encode_form(form, "t+k") == b"Token=t%2Bk&Action=Send&Body=" + encoded


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b" 12\r\n", "12"),
        (b"\xef\xbb\xbf12", "12"),
        (b"caf\xc3\xa9", "caf\xe9"),
        (b"caf\xe9 \x80", "caf\xe9 €"),
    ],
)
def test_body_is_trimmed_utf_8_or_else_windows_1252(data: bytes, text: str) -> None:
    assert read_body(data) == text


@given(st.binary(max_size=200))
def test_any_bytes_are_text_or_an_error_of_ours(data: bytes) -> None:
    try:
        text = read_body(data)
    except (EmptyAnswer, HtmlAnswer):
        return
    assert text == text.strip()
    assert text.encode()


@given(st.binary(max_size=300), st.integers(1, 50))
def test_any_bytes_are_rows_or_an_error_of_ours(data: bytes, size: int) -> None:
    reader = RowReader()
    rows: list[list[str]] = []
    try:
        for start in range(0, len(data), size):
            rows += reader.feed(data[start : start + size])
        rows += reader.finish()
    except UnreadableAnswer:
        return
    assert all(rows)


@given(st.lists(st.lists(TEXT, min_size=1, max_size=4), max_size=6), st.integers(1, 9))
def test_rows_come_back_however_the_stream_is_cut(rows: list[list[str]], size: int) -> None:
    written = StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    data = written.getvalue().encode()
    reader = RowReader()
    read: list[list[str]] = []
    for start in range(0, len(data), size):
        read += reader.feed(data[start : start + size])
    read += reader.finish()

    assert read == rows
