"""Whom a text may go to: at home only a number as long as mobile numbers are there."""

import re
from functools import cache

from app.domain.errors import InvalidInput
from app.domain.numbers import has_mobile_length, read_number

WRONG_LENGTH = "no mobile number of its country has so many digits: compare it once more"


def read_recipient(text: str, region: str) -> str:
    """As `read_number`. Raises InvalidInput also for a number with a digit too few or too many."""
    number = read_number(text, region)
    if not may_be_texted(number, region):
        raise InvalidInput(WRONG_LENGTH, field="number", code="not-a-number")
    return number


def may_be_texted(number: str, region: str) -> bool:
    """Whether a full number may be a mobile one, or is a valid one of another kind.

    Numbers of other countries may: some country's plan is always newer than the tables here, and
    the provider knows it.
    """
    code, usual = _compile_usual(region)
    return bool(usual.fullmatch(number)) or not number.startswith(code) or has_mobile_length(number)


@cache
def _compile_usual(region: str) -> tuple[str, re.Pattern[str]]:
    """The region's country code, and its mobile numbers: a look at the tables costs much more."""
    import phonenumbers  # noqa: PLC0415 its tables are large, and few commands need them

    code = str(phonenumbers.country_code_for_region(region))
    main = phonenumbers.region_code_for_country_code(int(code))
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(main)
    mobile = None if metadata is None else metadata.mobile
    lengths = [] if mobile is None else [each for each in mobile.possible_length if each > 0]
    forms = [f"[1-9][0-9]{{{each - 1}}}" for each in lengths]
    return code, re.compile(f"{code}(?:{'|'.join(forms) or '(?!)'})")
