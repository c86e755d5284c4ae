"""Phone numbers in whatever form people write them, and names for merge fields."""

import re
import unicodedata
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from app.domain.errors import InvalidInput
from app.domain.inbound.messages import MERGE_FIELDS

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

# Placeholders of a reply that have a meaning already.
RESERVED_NAMES = frozenset({"name", "email", "source", "dest", "keyword", "rest", "body"})
MAX_NAME = 32
# ITU-T E.164 allows 15 digits; fewer than 8 are a short code.
MIN_DIGITS = 8
MAX_DIGITS = 15
LONGEST_WRITTEN = 60
# Almost every number contains any shorter sequence of digits.
LEAST_PART = 3

_URI = re.compile(r"\s*(?:tel|sms|smsto|callto):", re.IGNORECASE)
# Ignored between or around a number's digits: spaces, dashes, direction marks.
_IGNORED_CATEGORIES = frozenset({"Cf", "Pd", "Zl", "Zp", "Zs"})
_IGNORED = frozenset("\t\n\v\f\r.()[]/\u2212")
_WIDE = {0xFF0B: "+", 0xFF08: "(", 0xFF09: ")", **{0xFF10 + n: str(n) for n in range(10)}}
# The trunk prefix, which is left out after a country code: +44 (0)7700 900123.
_TRUNK = re.compile(r"(?<=\d)(\D*)\(\s*0\s*\)", re.ASCII)
_DIALLED = re.compile(r"\+?[0-9]+")
_GROUP = re.compile("[0-9]+")
# An area code, or a country code that belongs there: (201) 555-0123, (44) 7700 900123.
_BRACKETED = re.compile(r"[^\w+]*\(\s*([1-9][0-9]*)\s*\)")
# What spreadsheets and mail make of a number: '+44..., ="44...", 447700900123.0, <tel:+44...>
_QUOTED = re.compile(r"""\s*=?['"<]?([^'"=<>]*?)['">]?[,;]?\s*""")
_FRACTION = re.compile(r"(\+?[0-9]{6,})\.0+")


def read_number(text: str, region: str) -> str:
    """The digits of a full number, as forwards carry them, from whatever form people write.

    `region` (ISO 3166) says how a national form such as 07700 900123 is read. Raises InvalidInput.
    """
    plain = _compile_plain(region)
    if plain is not None and plain.fullmatch(text):
        return text
    number = _find_full(text, region)
    if number is None:
        raise InvalidInput(
            "not a full phone number; write it like 447700900123 or +44 7700 900123",
            field="number",
            code="not-a-number",
        )
    return number


def normalise_number(text: str, region: str) -> str:
    """Only digits for a full number or a national one of `region`; anything else unchanged.

    Short codes and names are unchanged. For numbers in forwards, reports, filters and paths; digits
    from the database are not read again.
    """
    plain = _compile_plain(region)
    if plain is not None and plain.fullmatch(text):  # nearly always
        return text
    # Longer text is not a number and must not fill the cache.
    return text if len(text) > LONGEST_WRITTEN else _normalise(text, region)


def is_full_number(text: str) -> bool:
    """Whether it is a full number in normal form; no other sender can be answered."""
    has_length = MIN_DIGITS <= len(text) <= MAX_DIGITS
    return has_length and text.isdigit() and text.isascii() and text[0] != "0"


def read_prefix(text: str, region: str) -> str | None:
    """How full numbers begin: 4477 for +44 77 and, in GB, for 077; None if it is not a prefix."""
    import phonenumbers  # noqa: PLC0415 see `_find_full`

    written = _compact(_TRUNK.sub(r"\1", text.translate(_WIDE)))
    if not _DIALLED.fullmatch(written):
        return None
    digits = written.removeprefix("00" if written.startswith("00") else "+")
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region)
    if (
        digits == written
        and digits.startswith("0")
        and metadata is not None
        and metadata.national_prefix == "0"
    ):
        digits = f"{phonenumbers.country_code_for_region(region)}{digits[1:]}"
    is_prefix = 1 <= len(digits) <= MAX_DIGITS and not digits.startswith("0")
    return digits if is_prefix else None


def find_whole_number(text: str, region: str) -> str | None:
    """The digits of a number that may be texted as far as its country's plan says; else None.

    A part of a number, a short code or a name is none, though a shorter number may be possible.
    """
    number = _find_full(text, region)
    return number if number is not None and has_mobile_length(number) else None


def has_mobile_length(number: str) -> bool:
    """Whether a full number is as long as its country's mobile numbers, or valid of its kind."""
    import phonenumbers  # noqa: PLC0415 see `_find_full`

    parsed = phonenumbers.parse(f"+{number}")
    mobile = phonenumbers.PhoneNumberType.MOBILE
    is_possible: bool = phonenumbers.is_possible_number_for_type(parsed, mobile)
    return is_possible or phonenumbers.is_valid_number(parsed)


def find_digits(text: str, region: str) -> str:
    """The digits of a number that is looked for, or of a part of one; "" if it is neither."""
    number = find_whole_number(text, region)
    if number is not None:
        return number
    compact = _compact(_TRUNK.sub(r"\1", text.translate(_WIDE))).removeprefix("+")
    digits = compact.removeprefix("00").removeprefix("0")
    is_part = digits.isascii() and digits.isdecimal() and len(digits) >= LEAST_PART
    return digits if is_part else ""


def is_region(text: str) -> bool:
    """Whether it is a region (ISO 3166) whose national numbers can be read."""
    import phonenumbers  # noqa: PLC0415 see `_find_full`

    return text in phonenumbers.SUPPORTED_REGIONS


@lru_cache(maxsize=4096)
def _normalise(text: str, region: str) -> str:
    number = _find_full(text, region)
    if number is not None:
        return number
    # A number with an unknown country code, or of a length that its country does not have.
    compact = _compact(_strip_cell(text))
    digits = compact.removeprefix("00" if compact.startswith("00") else "+")
    # Without its + it must not be taken for a national number, which is somebody else's.
    is_clear = is_full_number(digits) and _find_full(digits, region) is None
    return digits if is_clear else text


@cache
def _compile_plain(region: str) -> re.Pattern[str] | None:
    """A pattern for the international digits of that region's numbers.

    None if a national number may look the same, because it has no prefix.
    """
    import phonenumbers  # noqa: PLC0415 see `_find_full`

    code = phonenumbers.country_code_for_region(region)
    main = phonenumbers.region_code_for_country_code(code)
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(main)
    if metadata is None or metadata.general_desc is None or not metadata.national_prefix:
        return None
    longest_first = sorted(metadata.general_desc.possible_length, reverse=True)
    lengths = "|".join(f"[0-9]{{{length}}}" for length in longest_first)
    return re.compile(f"{code}(?!{metadata.national_prefix_for_parsing})(?:{lengths})")


def _find_full(text: str, region: str) -> str | None:
    """The digits of a full number; None if the text is not one."""
    import phonenumbers  # noqa: PLC0415 its tables are large, and few commands need them

    possible = None
    groups = tuple(_GROUP.findall(text.translate(_WIDE)))
    code = _BRACKETED.match(text.translate(_WIDE))
    codes = {code[1], str(phonenumbers.country_code_for_region(region))} if code else set()
    for written in _list_written(text):
        number = _choose_reading(written, groups, region)
        if number is None or (codes and str(number.country_code) not in codes):
            continue
        if phonenumbers.is_valid_number(number):
            return _write_digits(number)
        possible = possible or _write_digits(number)
    return possible


def _list_written(text: str) -> list[str]:
    """The digits to dial, with a leading + if it was written.

    Tried without a (0) first, because most countries omit it after the country code; Italy keeps
    it.
    """
    if len(text) > LONGEST_WRITTEN:
        return []
    text = _URI.sub("", _strip_cell(text.translate(_WIDE)), count=1)
    written = dict.fromkeys(_compact(each) for each in (_TRUNK.sub(r"\1", text), text))
    return [each for each in written if _DIALLED.fullmatch(each)]


def _strip_cell(text: str) -> str:
    quoted = _QUOTED.fullmatch(text)
    text = quoted.group(1) if quoted else text
    fraction = _FRACTION.fullmatch(text.strip())
    return fraction.group(1) if fraction else text


def _compact(text: str) -> str:
    return "".join(
        each
        for each in text
        if each not in _IGNORED and unicodedata.category(each) not in _IGNORED_CATEGORIES
    )


def _choose_reading(written: str, groups: tuple[str, ...], region: str) -> "PhoneNumber | None":
    """The number that digits mean: one grouped as the region groups its own, else a valid
    international one, else one written exactly as the region writes its own, else any possible one.
    """
    import phonenumbers  # noqa: PLC0415 see above

    if written.startswith("+0"):  # no country code begins with 0
        written = written[1:]
    if written.startswith("+"):
        return _parse(written, region)
    if written.startswith("00") and (dialled := _parse(f"+{written[2:]}", region)):
        return dialled
    national = _parse(written, region)
    if written.startswith("0"):
        return national
    international = _parse(f"+{written}", region)
    if national is None:
        return international
    is_valid = phonenumbers.is_valid_number(national)
    form = phonenumbers.format_number(national, phonenumbers.PhoneNumberFormat.NATIONAL)
    if is_valid and len(groups) > 1 and groups == tuple(_GROUP.findall(form)):
        return national  # (201) 555-0123 in the US, whose plain digits are a number of Egypt
    if international and phonenumbers.is_valid_number(international):
        return international
    if international is None:
        # A spreadsheet may have dropped the 0.
        is_mobile = phonenumbers.is_possible_number_for_type(
            national, phonenumbers.PhoneNumberType.MOBILE
        ) and not written.startswith(str(national.country_code))
        return national if is_valid or is_mobile else None
    return national if is_valid and _compact(form) == written else international


def _parse(written: str, region: str) -> "PhoneNumber | None":
    import phonenumbers  # noqa: PLC0415 see above

    try:
        number = phonenumbers.parse(written, region)
    except phonenumbers.NumberParseException:
        return None
    if number.italian_leading_zero and not phonenumbers.is_valid_number(number):
        return None  # few countries keep a 0 there, and digits like these would be read otherwise
    reason = phonenumbers.is_possible_number_with_reason(number)
    is_possible = reason == phonenumbers.ValidationResult.IS_POSSIBLE
    return number if is_possible and is_full_number(_write_digits(number)) else None


def _write_digits(number: "PhoneNumber") -> str:
    import phonenumbers  # noqa: PLC0415 see above

    return f"{number.country_code}{phonenumbers.national_significant_number(number)}"


def write_number(number: str) -> str:
    """A number as people read it, `+44 7700 900123`; anything else unchanged."""
    import phonenumbers  # noqa: PLC0415 see above

    if len(number) < MIN_DIGITS or not (number.isascii() and number.isdecimal()):
        return number
    try:
        parsed = phonenumbers.parse(f"+{number}")
    except phonenumbers.NumberParseException:
        return number
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def check_merge_field_names(names: Mapping[str, str]) -> None:
    """Raises InvalidInput for names of merge fields that cannot be placeholders of a reply."""
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
