"""Finds a phone number in every form in which people and programs write it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from app.domain.inbound.messages import RawForward, make_number_key
from app.domain.inbound.urlencoded import join_form

ERASED = "[erased]"
# Where brackets would mean something: in an address, or in a rule's pattern.
PLAIN_ERASED = "erased"

# How much of what stands around a number that only looks like it is looked at.
AROUND = 3

# Between digits: spaces, dashes, dots, brackets, slashes, invisible marks, also as a form has them.
_SPACE = "[ \\t\\r\\n+\u00a0\u2000-\u200f\u2010-\u2015\u202a-\u202f\u2060-\u2069\u2212\ufeff.()/_-]"
_BETWEEN = f"(?:{_SPACE}|%(?:20|2[BbDdEeFf8-9]|09|C2%A0|c2%a0)){{0,4}}"
_BETWEEN_BYTES = rb"(?:[ \t\r\n+.()/_-]|\xc2\xa0|%(?:20|2[BbDdEeFf8-9]|09|C2%A0|c2%a0)){0,4}"
# A percent sign with two digits is a character, not a part of a number.
_BEFORE = r"(?:(?<![0-9])|(?<=%[0-9A-Fa-f][0-9A-Fa-f]))"
_AFTER = r"(?![0-9])"
# Fullwidth, Arabic and Persian digits.
_OTHER_ZEROS = (0xFF10, 0x0660, 0x06F0)


@dataclass(frozen=True)
class NumberForms:
    """`number` is in international digits; `national` those behind the country's code, or "" where
    the number is of another country than ours, whose national forms mean somebody else here.
    """

    number: str = field(repr=False)
    national: str = field(repr=False)

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
        return isinstance(value, int) and str(value) == self.number

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
        return re.compile(self._write(_write_digit, _BETWEEN))

    @cached_property
    def _bytes(self) -> re.Pattern[bytes]:
        return re.compile(self._write(str, _BETWEEN_BYTES.decode("latin-1")).encode("latin-1"))

    @cached_property
    def _trace(self) -> re.Pattern[bytes]:
        digits = self.national or self.number
        return re.compile(_BETWEEN_BYTES.join(re.escape(each.encode()) for each in digits))

    def _write(self, write: Any, between: str) -> str:
        def join(digits: str) -> str:
            return between.join(write(each) for each in digits)

        zeros = f"(?:{write('0')}{between}){{0,3}}"
        plus = r"(?:\+|%2[Bb])?"
        full = f"{plus}{zeros}{join(self.number)}"
        if not self.national:
            return f"{_BEFORE}{full}{_AFTER}"
        code = self.number.removesuffix(self.national)
        trunk = f"{join(code)}{between}(?:{write('0')}{between})?{join(self.national)}"
        # With its 0, or without one where no other number's beginning stands before it.
        own = f"{write('0')}{between}{join(self.national)}"
        bare = rf"(?<![0-9][ +.-])(?<!\+){join(self.national)}"
        return f"{_BEFORE}(?:{plus}{zeros}{trunk}|{own}|{bare}){_AFTER}"

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


def make_forms(number: str, region: str) -> NumberForms:
    """The forms of a full number, given in digits; `region` is DEFAULT_REGION."""
    import phonenumbers  # noqa: PLC0415 its tables are large, and few commands need them

    code = str(phonenumbers.country_code_for_region(region))
    is_ours = number.startswith(code) and len(number) - len(code) >= 7
    return NumberForms(number, number.removeprefix(code) if is_ours else "")


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
