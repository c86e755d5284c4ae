"""How the simulated provider reads the numbers and sources it is given."""

import re

_SEPARATORS = re.compile(r"[\s().-]+")
_FULL = re.compile(r"[1-9][0-9]{6,14}")
_SOURCE = re.compile(r"[0-9]{3,15}")


def read_destination(text: str, national: bool) -> str | None:
    """A number as digits with its country code, or None where it cannot be one.

    `national` lets a British number begin with 0.
    """
    digits = _SEPARATORS.sub("", text).removeprefix("+")
    if digits.startswith("00"):
        digits = digits[2:]
    elif national and digits.startswith("0"):
        digits = "44" + digits[1:]
    return digits if _FULL.fullmatch(digits) else None


def looks_numeric(source: str) -> bool:
    """Whether a source is meant as a number: digits, perhaps after a plus."""
    return source.removeprefix("+").isdecimal()


def read_source_number(source: str) -> str | None:
    """A numeric source (long number or short code) as digits, or None if it is not valid."""
    digits = source.removeprefix("+")
    return digits if _SOURCE.fullmatch(digits) else None
