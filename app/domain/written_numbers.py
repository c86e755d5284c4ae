"""Finds a number in every form in which people and programs write it, and takes it out."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from app.domain.inbound.messages import RawForward, make_number_key
from app.domain.inbound.urlencoded import join_form
from app.domain.numbers import is_full_number

ERASED = "[erased]"
# Where brackets would mean something: in an address, or in a rule's pattern.
PLAIN_ERASED = "erased"

# How much of what stands around a number that only looks like it is looked at.
AROUND = 3
# Shorter ones without their country's code could be anything.
LEAST_NATIONAL = 7

# What stands between digits: +44 (0)7700-900 123, and the same in a form. Behind the country's code
# that may be any sign; in front not, for there a comma may end something else.
_ESCAPED = "%(?:20|2[BbCcDdEeFf8-9]|09|C2%A0|c2%a0)"
_DASHES = "\u00a0\u2000-\u200f\u2010-\u2015\u202a-\u202f\u2060-\u2069\u2212\ufeff"
_SPACE = f"(?:[ \\t\\r\\n+{_DASHES}.()/_-]|{_ESCAPED}){{0,4}}"
_SIGN = f"(?:[\\W_]|{_ESCAPED}){{0,4}}"
_MARKS = r"\xc2\xa0|\xe2\x80[\x80-\xaf]|\xe2\x88\x92"
_SPACE_BYTES = rf"(?:[ \t\r\n+.()/_-]|{_MARKS}|{_ESCAPED}){{0,4}}"
_SIGN_BYTES = rf"(?:[ \t\r\n!-/:-@\[-`{{-~]|{_MARKS}|{_ESCAPED}){{0,4}}"
# A percent sign with two digits is a character, not a part of a number.
_BEFORE = r"(?:(?<!\d)|(?<=%[0-9A-Fa-f][0-9A-Fa-f]))"
_AFTER = r"(?!\d)"
# Fullwidth, Arabic and Persian digits.
_OTHER_ZEROS = (0xFF10, 0x0660, 0x06F0)


@dataclass(frozen=True)
class NumberForms:
    """`number` is in normal form: international digits, or a short code or name.

    `country` is its country's code, "" for a short code or name. `is_ours`: whether what is written
    without the country's code means it here, rather than somebody else.
    """

    number: str = field(repr=False)
    country: str
    is_ours: bool

    @property
    def digits(self) -> str:
        """What stands behind the country's code in every form."""
        return self.number.removeprefix(self.country)

    @cached_property
    def key(self) -> bytes:
        """What stands for the number in indexes."""
        return make_number_key(self.number)

    def is_in(self, value: object) -> bool:
        """Whether a text, bytes or anything made of them holds the number."""
        if isinstance(value, str):
            return self._text.search(value) is not None
        if isinstance(value, bytes | memoryview):
            data = bytes(value)
            return data == self.key or self._is_in_bytes(data)
        if isinstance(value, Mapping):
            return any(self.is_in(name) or self.is_in(each) for name, each in value.items())
        if isinstance(value, list | tuple):
            return any(self.is_in(each) for each in value)
        is_count = isinstance(value, int | float) and not isinstance(value, bool)
        return is_count and self.is_in(str(value))

    def redact(self, value: Any, word: str = ERASED) -> Any:
        """The same without the number, in whose place `word` stands."""
        if isinstance(value, str):
            return self._text.sub(word, value)
        if isinstance(value, bytes | memoryview):
            return self._redact_bytes(bytes(value), word)
        if isinstance(value, Mapping):
            return {
                self.redact(name, word): self.redact(each, word) for name, each in value.items()
            }
        if isinstance(value, list | tuple):
            return [self.redact(each, word) for each in value]
        return word if self.is_in(value) else value

    def find_traces(self, data: bytes) -> list[tuple[int, int]]:
        """Where bytes of a file hold the digits, whatever stands beside them: values of a row stand
        there without anything between them.
        """
        return [match.span() for match in self._trace.finditer(data)]

    def list_others(self, value: str | bytes) -> set[bytes]:
        """What looks like a trace of the number and is none, such as a longer number that has its
        digits in it; with a little of what stands around it.
        """
        data = value.encode("utf-8", "replace") if isinstance(value, str) else value
        traces = self.find_traces(data)
        if not traces:
            return set()
        own = [match.span() for match in self._bytes.finditer(data)]
        return {
            data[max(start - AROUND, 0) : end + AROUND]
            for start, end in traces
            if not any(first <= start and end <= last for first, last in own)
        }

    @cached_property
    def _text(self) -> re.Pattern[str]:
        if not is_full_number(self.number):
            return re.compile(rf"(?<!\w){re.escape(self.number)}(?!\w)", re.IGNORECASE)
        return re.compile(self._write(_write_digit, _SPACE, _SIGN))

    @cached_property
    def _bytes(self) -> re.Pattern[bytes]:
        if not is_full_number(self.number):
            plain = re.escape(self.number.encode())
            return re.compile(rb"(?<![\w\x80-\xff])" + plain + rb"(?![\w\x80-\xff])", re.IGNORECASE)
        return re.compile(self._write(str, _SPACE_BYTES, _SIGN_BYTES).encode("latin-1"))

    @cached_property
    def _trace(self) -> re.Pattern[bytes]:
        between = _SIGN_BYTES.encode("latin-1")
        return re.compile(between.join(re.escape(each.encode()) for each in self.digits))

    def _write(self, write: Callable[[str], str], space: str, sign: str) -> str:
        zero = write("0")
        code = space.join(map(write, self.country))
        digits = sign.join(map(write, self.digits))
        # Whatever is written in front of the code, and the 0 behind it: 00 44 (0)7700 900123.
        head = rf"(?:\+|%2[Bb])?(?:{zero}{space}){{0,3}}"
        forms = [f"{head}{code}{space}(?:{zero}{space})?{digits}"]
        if self.is_ours:
            # With its 0, or without one where no other number's beginning stands before it.
            forms += [f"{zero}{space}{digits}", rf"(?<![0-9][ +.-])(?<!\+){digits}"]
        return f"{_BEFORE}(?:{'|'.join(forms)}){_AFTER}"

    def _is_in_bytes(self, data: bytes) -> bool:
        if self._bytes.search(data):
            return True
        raw = _read_raw(data)
        return raw is not None and any(self.is_in(each) for pair in raw.texts for each in pair)

    def _redact_bytes(self, data: bytes, word: str) -> bytes:
        raw = _read_raw(data)
        if raw is None:
            return self._bytes.sub(word.encode(), data)
        pairs = [(self._clean(name, word), self._clean(value, word)) for name, value in raw.pairs]
        raw.form = join_form(pairs)
        return self._bytes.sub(word.encode(), raw.to_bytes())

    def _clean(self, value: bytes, word: str) -> bytes:
        try:
            text = value.decode()
        except UnicodeDecodeError:
            return self._bytes.sub(word.encode(), value)
        return self._text.sub(word, text).encode()


@lru_cache(maxsize=16)
def make_forms(number: str, region: str) -> NumberForms:
    """The forms of a number in normal form; `region` is DEFAULT_REGION."""
    import phonenumbers  # noqa: PLC0415 its tables are large, and few commands need them

    if not is_full_number(number):
        return NumberForms(number, "", is_ours=False)
    ours = str(phonenumbers.country_code_for_region(region))
    if number.startswith(ours) and len(number) - len(ours) >= LEAST_NATIONAL:
        return NumberForms(number, ours, is_ours=True)
    try:
        country = str(phonenumbers.parse(f"+{number}").country_code)
    except phonenumbers.NumberParseException:
        country = ""
    return NumberForms(number, country, is_ours=False)


def _write_digit(digit: str) -> str:
    others = "".join(chr(zero + int(digit)) for zero in _OTHER_ZEROS)
    return f"[{digit}{others}]"


def _read_raw(data: bytes) -> RawForward | None:
    """The stored form of a forward; None for bytes that are something else."""
    if not data.startswith(b"["):
        return None
    try:
        return RawForward.from_bytes(data)
    except (ValueError, TypeError):
        return None
