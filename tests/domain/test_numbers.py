"""Numbers as people write them, and names for merge fields."""

import pytest

from app.domain.errors import InvalidInput
from app.domain.numbers import check_merge_field_names, read_number


@pytest.mark.parametrize(
    "text",
    [
        "447700900123",
        "+447700900123",
        "00447700900123",
        "07700 900123",
        "(07700) 900-123",
        "+44 (0)7700 900123",
        "4407700900123",
    ],
)
def test_every_way_of_writing_a_number_gives_its_digits(text: str) -> None:
    assert read_number(text, "GB") == "447700900123"


def test_a_number_without_its_country_is_read_in_the_region() -> None:
    assert read_number("447700900123", "US") == "447700900123"
    with pytest.raises(InvalidInput):
        read_number("07700 900123", "US")


@pytest.mark.parametrize(
    "text", ["", "0", "60777", "Shop", "+44", "call 447700900123", "+99999999999", "٠٧٧٠٠٩٠٠١٢٣"]
)
def test_what_is_no_full_number_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        read_number(text, "GB")
    assert raised.value.field == "number"


def test_names_may_be_letters_digits_and_underscores() -> None:
    check_merge_field_names({"1": "appointment", "2": "größe_2", "name": "name", "email": "mail"})


@pytest.mark.parametrize(
    ("names", "field"),
    [
        ({"6": "x"}, "6"),
        ({"1": ""}, "1"),
        ({"1": "two words"}, "1"),
        ({"1": "2nd"}, "1"),
        ({"1": "x" * 33}, "1"),
        ({"1": "Name"}, "1"),
        ({"1": "body"}, "1"),
        ({"1": "same", "2": "Same"}, "1"),
    ],
)
def test_a_name_that_no_placeholder_could_have_is_refused(
    names: dict[str, str], field: str
) -> None:
    with pytest.raises(InvalidInput) as raised:
        check_merge_field_names(names)
    assert raised.value.field == f"merge_field_names.{field}"
