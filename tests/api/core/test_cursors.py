"""Cursors and ids: opaque, exact, and refused when they are damaged."""

from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.core.cursors import decode_cursor, encode_cursor
from app.domain.errors import InvalidCursor, NotFound
from app.domain.ids import decode_id, encode_id
from app.domain.places import (
    read_id_place,
    read_pair_place,
    read_thread_place,
    read_time_place,
    write_place,
)
from tests.conftest import NOW

NUMBERS = st.integers(0, 2**63 - 1)
TIMES = st.datetimes(NOW.replace(year=1970, tzinfo=None), timezones=st.just(UTC))


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


PLACES = (
    NUMBERS,
    st.tuples(NUMBERS, NUMBERS),
    st.tuples(NUMBERS, NUMBERS, NUMBERS),
    st.tuples(TIMES, NUMBERS),
)


@given(st.one_of(*PLACES))
def test_a_place_is_read_back_by_its_own_reader(place: int | tuple[Any, ...]) -> None:
    if isinstance(place, int):
        assert read_id_place(write_place(place)) == place
    elif len(place) == 3:
        assert read_thread_place(write_place(place)) == place
    else:
        read = read_pair_place if isinstance(place[0], int) else read_time_place
        assert read(write_place(place)) == place


@given(st.text() | st.from_regex(r"-?[0-9]{1,25}(\.[0-9]{1,25})?", fullmatch=True))
def test_any_other_text_is_no_place_or_one_that_a_row_may_have(text: str) -> None:
    for read in (read_id_place, read_pair_place, read_thread_place, read_time_place):
        place = read(text)
        assert place is None or read(write_place(place)) == place


@given(st.tuples(NUMBERS, NUMBERS))
def test_a_cursor_is_read_back_by_its_query_alone(place: tuple[int, int]) -> None:
    filters = {"source": "447700900123"}
    text = encode_cursor(write_place(place), "/messages", filters)
    assert decode_cursor(text, "/messages", filters, read_pair_place) == place
    for path, other in (("/keys", filters), ("/messages", {}), ("/messages", {"dest": "1"})):
        with pytest.raises(InvalidCursor):
            decode_cursor(text, path, other, read_pair_place)
    with pytest.raises(InvalidCursor):
        decode_cursor(text, "/messages", filters, read_id_place)


@given(st.one_of(st.integers(2**63), st.integers(max_value=-1)))
def test_a_cursor_made_up_with_a_place_that_no_row_has_is_refused(number: int) -> None:
    with pytest.raises(InvalidCursor):
        decode_cursor(encode_cursor(str(number), "/messages", {}), "/messages", {}, read_id_place)


@given(st.text() | st.binary(max_size=40).map(lambda data: data.hex()))
def test_any_other_text_is_no_cursor(text: str) -> None:
    with pytest.raises(InvalidCursor):
        decode_cursor(text, "/messages", {}, read_id_place)


@given(st.integers(0, 20), st.characters(codec="ascii"))
def test_a_cursor_with_one_character_changed_goes_nowhere_else(place: int, other: str) -> None:
    text = encode_cursor("123456", "/messages", {})
    changed = text[:place] + other + text[place + 1 :]
    try:
        assert decode_cursor(changed, "/messages", {}, read_id_place) == 123456
    except InvalidCursor:
        assert changed != text
