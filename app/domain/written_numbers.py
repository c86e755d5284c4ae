"""Finds a number in longer texts, however people and programs have written it there."""

import re
from collections.abc import Callable
from functools import lru_cache

from app.domain.numbers import is_full_number

# What stands between digits: +44 (0)7700-900 123.
_GAP = r"[^\w+]{0,3}"
_PLAIN = re.compile("[A-Za-z0-9]+")


def make_like(number: str) -> str:
    """A pattern for SQL's LIKE: every text that has the number matches, and others as well.

    `number` is in normal form: international digits, or a short code or name. Of these only letters
    and digits look alike in plain text, in JSON and in a form.
    """
    plain = _split_country(number)[1] if is_full_number(number) else _PLAIN.findall(number)
    return f"%{'%'.join(plain)}%"


@lru_cache(maxsize=16)
def make_finder(number: str) -> Callable[[str], bool]:
    """Whether a text has the number: 447700900123 also as 07700 900123 or +44 (0)7700-900123.

    Not as a part of a longer number or word.
    """
    if not is_full_number(number):
        plain = re.compile(rf"(?<!\w){re.escape(number)}(?!\w)", re.IGNORECASE)
        return lambda text: plain.search(text) is not None
    country, national = _split_country(number)
    trunk = rf"(?:\({_GAP}0{_GAP}\){_GAP})?"
    head = rf"(?:(?:\+|00)?{_GAP}{country}{_GAP}{trunk}|0{_GAP})?"
    written = re.compile(rf"(?<!\d){head}{_GAP.join(national)}(?!\d)", re.ASCII)
    return lambda text: written.search(text) is not None


def _split_country(number: str) -> tuple[str, str]:
    """The country code, and the digits that follow it in every way of writing the number."""
    import phonenumbers  # noqa: PLC0415 slow to import

    try:
        parsed = phonenumbers.parse(f"+{number}")
    except phonenumbers.NumberParseException:
        return "", number
    country = str(parsed.country_code)
    return country, number.removeprefix(country)
