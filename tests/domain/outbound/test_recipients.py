"""Whom a text may go to: a digit too few or too many is noticed."""

import pytest

from app.domain.errors import InvalidInput
from app.domain.outbound.recipients import WRONG_LENGTH, may_be_texted, read_recipient


@pytest.mark.parametrize(
    ("written", "region"),
    [
        ("07700 900004", "GB"),
        ("447700900004", "GB"),
        ("+44 7700 900004", "US"),
        # A landline that takes texts, and a number abroad.
        ("020 7946 0958", "GB"),
        ("+1 201-555-0123", "GB"),
        ("(201) 555-0123", "US"),
        ("+353 85 012 3456", "GB"),
        # Longer than that country's numbers were: its plan may have changed.
        ("+353 85 012 3456 7", "GB"),
    ],
)
def test_a_number_as_its_country_has_them_may_be_texted(written: str, region: str) -> None:
    assert may_be_texted(read_recipient(written, region), region)


@pytest.mark.parametrize(
    ("written", "region"),
    [("0770090004", "GB"), ("44770090004", "GB")],
)
def test_a_digit_too_few_is_said(written: str, region: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_recipient(written, region)
    assert (str(refused.value), refused.value.code) == (WRONG_LENGTH, "not-a-number")
