"""Numbers as people write them, and names for merge fields."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.errors import InvalidInput
from app.domain.numbers import (
    check_merge_field_names,
    normalise_number,
    read_number,
    read_prefix,
)

WRITTEN = [
    "447700900123",
    "+447700900123",
    "00447700900123",
    "+00447700900123",
    "07700 900123",
    "+07700900123",
    "7700900123",
    "(07700) 900-123",
    "(0)7700 900123",
    "+44 (0)7700 900123",
    "+44(0) 7700 900123",
    "+44 ( 0 ) 7700 900123",
    "44 (0)7700 900123",
    "0044 (0)7700 900123",
    "(44) 7700.900123",
    "4407700900123",
    "+44 07700 900123",
    "44\u00a07700\u00a0900123",
    " 447700900123\r\n",
    "07700\t900123",
    "07700900123\n",
    "\u202a07700 900123\u202c",
    "\u202d+44 7700 900123\u202c",
    "\u200e07700900123",
    "07700\u200b900123",
    "\u206807700 900123\u2069",
    "\ufeff07700900123",
    "07700\u202f900123",
    "07700\u2009900\u200a123",
    "07700\u00ad900123",
    "07700\u2013900\u2014123",
    "07700\u2011900\u2012123",
    "07700\u2212900123",
    "tel:+447700900123",
    "tel:+44-7700-900-123",
    "TEL: 07700 900123",
    "\uff10\uff17\uff17\uff10\uff10\uff19\uff10\uff10\uff11\uff12\uff13",
    "\uff0b447700900123",
]
AS_IT_CAME = [
    pytest.param("60777", id="a short code"),
    pytest.param("60 777", id="a short code with a space"),
    pytest.param("12345678", id="the shortest digits that might be a full number"),
    pytest.param("123456789012345", id="the longest"),
    pytest.param("+1234567", id="too short"),
    pytest.param("+1234567890123456", id="too long"),
    pytest.param("077009001234567", id="a national form that is too long"),
    pytest.param("0447700900123", id="a zero before the country"),
    pytest.param("++447700900123", id="two pluses"),
    pytest.param("44+7700900123", id="a plus within"),
    pytest.param("ACME", id="a name"),
    pytest.param("ACME Ltd.", id="a name with space and dot"),
    pytest.param(" ACME ", id="a name with spaces around"),
    pytest.param("tel:", id="an empty address"),
    pytest.param("24/7", id="a name of digits"),
    pytest.param("+٤٤٧٧٠٠٩٠٠١٢٣", id="digits of another script"),
    pytest.param("+44770090012²", id="a raised digit"),
    pytest.param("07700 900123 ext 4", id="an extension"),
    pytest.param("07700900123, 07700900124", id="two numbers"),
    pytest.param("", id="nothing"),
    pytest.param("+", id="a lone plus"),
    pytest.param("00", id="only zeros"),
    pytest.param("\0447700900123", id="a control character"),
    pytest.param("0" * 70_000, id="very long"),
]


@pytest.mark.parametrize("text", WRITTEN)
def test_every_way_of_writing_a_number_gives_its_digits_at_every_door(text: str) -> None:
    assert read_number(text, "GB") == "447700900123"
    assert normalise_number(text, "GB") == "447700900123"


@pytest.mark.parametrize("text", AS_IT_CAME)
def test_what_is_no_full_number_is_refused_where_one_is_needed_and_else_stays(text: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        read_number(text, "GB")
    assert (raised.value.field, raised.value.code) == ("number", "not-a-number")
    assert normalise_number(text, "GB") == text


@pytest.mark.parametrize(
    ("text", "region", "digits"),
    [
        ("447700900123", "DE", "447700900123"),
        ("447700900123", "US", "447700900123"),
        ("447700900123", "FR", "447700900123"),
        ("+44 (0)7700 900321", "DE", "447700900321"),
        # Cape Verde, São Tomé and Eritrea; in GB these look like numbers of Southampton and London.
        ("2389912345", "GB", "2389912345"),
        ("2399912345", "GB", "2399912345"),
        ("2917123456", "GB", "2917123456"),
        ("2381234567", "GB", "2381234567"),
        ("07700900123", "DE", "497700900123"),
        ("0151 23456789", "DE", "4915123456789"),
        # Where a region writes its own numbers without any prefix, they are national.
        ("612345678", "ES", "34612345678"),
        ("34612345678", "ES", "34612345678"),
        ("(212) 555-0123", "US", "12125550123"),
        ("011 44 7700 900123", "US", "447700900123"),
        # Italy keeps the 0, Spain has none.
        ("+39 (0)6 12345678", "GB", "390612345678"),
        ("+34 (0)612345678", "GB", "34612345678"),
        ("+49 (0)151 23456789", "GB", "4915123456789"),
    ],
)
def test_a_full_international_number_wins_over_the_national_reading(
    text: str, region: str, digits: str
) -> None:
    assert read_number(text, region) == digits
    assert normalise_number(text, region) == digits
    assert normalise_number(digits, region) == digits


@pytest.mark.parametrize(
    "text",
    [
        "'+447700900123",
        "'07700900123",
        '="447700900123"',
        '"+44 7700 900123"',
        "447700900123.0",
        "7700900123.0",
        "<tel:+44-7700-900123>",
        "sms:+447700900123",
        "+447700900123,",
    ],
)
def test_what_spreadsheets_and_links_make_of_a_number_is_that_number(text: str) -> None:
    assert read_number(text, "GB") == "447700900123"
    assert normalise_number(text, "GB") == "447700900123"


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("(201) 555-0123", "12015550123"),
        ("(201)555-0123", "12015550123"),
        ("201-555-0123", "12015550123"),
        ("201.555.0123", "12015550123"),
        # Digits alone may be of any country.
        ("2015550123", "2015550123"),
        ("44 7700 900123", "447700900123"),
    ],
)
def test_a_number_divided_as_the_region_divides_its_own_is_national(text: str, digits: str) -> None:
    assert normalise_number(text, "US") == digits


@pytest.mark.parametrize("text", ["+7140694742", "001000000000", "00000000000", "0076349434"])
@pytest.mark.parametrize("region", ["GB", "DE", "US", "ES", "IT", "SG", "AU"])
def test_a_number_that_cannot_be_never_becomes_another_one(text: str, region: str) -> None:
    once = normalise_number(text, region)
    assert normalise_number(once, region) == once


@pytest.mark.parametrize("region", ["GB", "DE", "US", "ES", "IT", "RU"])
@given(number=st.integers(min_value=447_700_900_000, max_value=447_700_900_999))
def test_digits_from_the_store_stay_what_they_are_in_every_region(region: str, number: int) -> None:
    assert read_number(str(number), region) == str(number)


@pytest.mark.parametrize("text", ["(201) 555-0123", " (201)555.0123", "\uff08201\uff095550123"])
@pytest.mark.parametrize("region", ["GB", "DE", "IE", "IN"])
def test_an_area_code_in_brackets_is_no_country_code(text: str, region: str) -> None:
    # Without the brackets these are digits of Egypt.
    with pytest.raises(InvalidInput):
        read_number(text, region)
    assert normalise_number(text, region) == text


def test_a_country_code_may_stand_in_brackets() -> None:
    assert read_number("(20) 155 501 2345", "GB") == "201555012345"
    assert read_number("(1) 201 555 0123", "GB") == "12015550123"
    assert read_number("(201) 555-0123", "CA") == "12015550123"


def test_a_number_without_its_country_needs_the_right_region() -> None:
    with pytest.raises(InvalidInput):
        read_number("07700 900123", "US")
    with pytest.raises(InvalidInput):
        read_number("60777", "DE")


def test_a_full_number_of_an_unknown_country_is_digits_but_cannot_be_texted() -> None:
    assert normalise_number("+999 123456789", "GB") == "999123456789"
    with pytest.raises(InvalidInput):
        read_number("+999 123456789", "GB")


@settings(deadline=None)
@given(text=st.text(alphabet="+0123456789 -.()a\u00a0", max_size=20))
def test_a_normalised_number_stays_as_it_is(text: str) -> None:
    once = normalise_number(text, "GB")
    assert normalise_number(once, "GB") == once


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        ("4477", "4477"),
        ("+44 77", "4477"),
        ("0044(0)77", "4477"),
        ("077", "4477"),
        ("\u200e4", "4"),
    ],
)
def test_how_numbers_begin_is_read_as_they_are(text: str, prefix: str) -> None:
    assert read_prefix(text, "GB") == prefix


@pytest.mark.parametrize("text", ["", "+", "00 044", "a44", "1234567890123456"])
def test_what_no_number_begins_with_is_no_prefix(text: str) -> None:
    assert read_prefix(text, "GB") is None


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
