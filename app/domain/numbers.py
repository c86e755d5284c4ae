"""What may be configured of a virtual number: the number itself, and names for merge fields."""

import contextlib
import re
from collections.abc import Mapping

from app.domain.errors import InvalidInput
from app.domain.messages import MERGE_FIELDS, normalise_number

# Placeholders of a reply that mean something else already.
RESERVED_NAMES = frozenset({"name", "email", "source", "dest", "keyword", "rest", "body"})
MAX_NAME = 32
# Shorter ones are short codes, which nobody writes with a country's code.
MIN_DIGITS = 8

# The parser below would also find a number in the midst of a sentence.
_WRITTEN = re.compile(r"\+?[0-9 ()./\-\u00a0]{3,40}")


def read_number(text: str, region: str) -> str:
    """The digits of a full number, as forwards carry them, from whatever form people write.

    `region` (ISO 3166) says how a national form such as 07700 900123 is read. Raises InvalidInput.
    """
    import phonenumbers  # noqa: PLC0415 its tables are large, and only this needs them

    def parse(written: str) -> phonenumbers.PhoneNumber | None:
        if not _WRITTEN.fullmatch(written):
            return None
        with contextlib.suppress(phonenumbers.NumberParseException):
            number = phonenumbers.parse(written, region)
            reason = phonenumbers.is_possible_number_with_reason(number)
            if reason == phonenumbers.ValidationResult.IS_POSSIBLE:
                return number
        return None

    number = parse(text)
    # In some regions a national number looks like an international one without its +.
    if number is None or not phonenumbers.is_valid_number(number):
        compact = normalise_number(text)
        is_full = compact.isdigit() and not compact.startswith("0")
        number = parse(f"+{compact}") if is_full else number
    if number is None:
        raise InvalidInput(
            "no full phone number; write it like 447700900123 or +44 7700 900123", field="number"
        )
    return f"{number.country_code}{phonenumbers.national_significant_number(number)}"


def write_number(number: str) -> str:
    """A number as people read it, `+44 7700 900123`; what is no full number stays as it is."""
    import phonenumbers  # noqa: PLC0415 see above

    if len(number) < MIN_DIGITS or not (number.isascii() and number.isdecimal()):
        return number
    try:
        parsed = phonenumbers.parse(f"+{number}")
    except phonenumbers.NumberParseException:
        return number
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def check_merge_field_names(names: Mapping[str, str]) -> None:
    """Each merge field may have one name of the owner's, usable as a placeholder.

    Raises InvalidInput.
    """
    for field, name in names.items():
        where = f"merge_field_names.{field}"
        if field not in MERGE_FIELDS:
            known = ", ".join(MERGE_FIELDS)
            raise InvalidInput(f"no merge field has this name; they are {known}", field=where)
        if not name.isidentifier() or len(name) > MAX_NAME:
            raise InvalidInput(
                f"a name is at most {MAX_NAME} letters, digits and underscores, no digit first",
                field=where,
            )
        if name.casefold() in RESERVED_NAMES - {field}:
            raise InvalidInput(f"{{{name}}} means something else in a reply", field=where)
    folded = [name.casefold() for name in names.values()]
    for field, name in names.items():
        if folded.count(name.casefold()) > 1:
            raise InvalidInput(
                "two merge fields have this name", field=f"merge_field_names.{field}"
            )
