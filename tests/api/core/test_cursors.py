"""Cursors and ids: opaque, exact, and refused when they are damaged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.core.cursors import decode_cursor, encode_cursor
from app.domain.errors import InvalidCursor, NotFound
from app.domain.ids import decode_id, encode_id

NUMBERS = st.integers(0, 2**63 - 1)


@given(NUMBERS)
def test_an_id_is_read_back(number: int) -> None:
    assert decode_id("msg", encode_id("msg", number)) == number


@given(st.text())
def test_any_text_is_an_id_of_its_own_or_not_found(text: str) -> None:
    try:
        number = decode_id("msg", f"msg_{text}")
    except NotFound:
        return
    assert encode_id("msg", number) == f"msg_{text}"


@pytest.mark.parametrize("text", ["", "msg", "msg_", "msg_0a", "MSG_1", "cnv_1", "msg_" + "z" * 13])
def test_what_no_id_looks_like_is_not_found(text: str) -> None:
    with pytest.raises(NotFound):
        decode_id("msg", text)


@given(st.lists(NUMBERS, min_size=1, max_size=2))
def test_a_cursor_is_read_back_by_its_query_alone(numbers: list[int]) -> None:
    filters = {"source": "447700900123"}
    text = encode_cursor(tuple(numbers), "/messages", filters)
    length = len(numbers)
    assert decode_cursor(text, "/messages", filters, length=length) == tuple(numbers)
    for path, other in (("/keys", filters), ("/messages", {}), ("/messages", {"dest": "1"})):
        with pytest.raises(InvalidCursor):
            decode_cursor(text, path, other, length=length)
    with pytest.raises(InvalidCursor):
        decode_cursor(text, "/messages", filters, length=3 - length)


@given(st.one_of(st.integers(2**63), st.integers(max_value=-1)))
def test_a_cursor_made_up_with_a_place_that_no_row_has_is_refused(number: int) -> None:
    with pytest.raises(InvalidCursor):
        decode_cursor(encode_cursor((number,), "/messages", {}), "/messages", {})


@given(st.text() | st.binary(max_size=40).map(lambda data: data.hex()))
def test_any_other_text_is_no_cursor(text: str) -> None:
    with pytest.raises(InvalidCursor):
        decode_cursor(text, "/messages", {})


@given(st.integers(0, 20), st.characters(codec="ascii"))
def test_a_cursor_with_one_character_changed_goes_nowhere_else(place: int, other: str) -> None:
    text = encode_cursor((123456,), "/messages", {})
    changed = text[:place] + other + text[place + 1 :]
    try:
        assert decode_cursor(changed, "/messages", {}) == (123456,)
    except InvalidCursor:
        assert changed != text
