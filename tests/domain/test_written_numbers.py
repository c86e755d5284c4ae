"""Numbers in longer texts, however they are written."""

from typing import Any

import pytest

from app.domain.inbound.messages import RawForward, make_number_key
from app.domain.written_numbers import make_forms

ADA = "447700900123"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("447700900123", True),
        ("Ring 07700 900123.", True),
        ("+44 (0)7700-900 123 or so", True),
        ("+44 7700 900123", True),
        ("00447700900123", True),
        ("7700900123,Ada", True),
        ("07700/90 01 23", True),
        ('{"to": "+447700900123"}', True),
        ("4477009001234", False),
        ("1447700900123", False),
        ("7700 900124", False),
        ("7700900, 123 of them", True),
        ("7 texts, 700 words", False),
        ("", False),
    ],
)
def test_a_number_is_found_however_it_is_written(text: str, *, expected: bool) -> None:
    assert make_forms(ADA, "GB").is_in(text) is expected


@pytest.mark.parametrize(
    ("number", "text", "expected"),
    [
        ("60006", "Text 60006 to stop", True),
        ("60006", "600066", False),
        ("Café 24", "from CAFÉ 24!", True),
        ("Shop", "Shopping", False),
    ],
)
def test_a_short_code_or_name_is_found_as_a_word(number: str, text: str, *, expected: bool) -> None:
    assert make_forms(number, "GB").is_in(text) is expected


@pytest.mark.parametrize(
    ("value", "expected", "left"),
    [
        ("Ring \uff10\uff17\uff17\uff10\uff10 900123 or me", True, "Ring [erased] or me"),
        ("\u0664\u0664\u0667\u0667\u0660\u0660\u0669\u0660\u0660\u0661\u0662\u0663", True,
         "[erased]"),
        (f"a neighbour: {ADA}4, +{ADA}4", False, None),
        (f"an Arabic 4 behind it: {ADA}\u0664", False, None),
        ("somebody in another country: +1 7700900123", False, None),
        ("0,0,447700900123", True, "0,0,[erased]"),
        ({"to": [int(ADA), 4477009001234], ADA: 7700900123.0}, True,
         {"to": ["[erased]", 4477009001234], "[erased]": "[erased]"}),
        (True, False, None),
        (make_number_key(ADA), True, None),
        (b"to=%2B44%207700+900-123&x=4477009001234", True, b"to=[erased]&x=4477009001234"),
        ("447700\u2013900 123".encode(), True, b"[erased]"),
        (RawForward("GET", "", None, b"msg=%37700900123&%FF=1").to_bytes(), True,
         RawForward("GET", "", None, b"msg=%5Berased%5D&%FF=1").to_bytes()),
    ],
)  # fmt: skip
def test_a_number_is_found_in_whatever_a_column_holds(
    value: Any, left: Any, *, expected: bool
) -> None:
    forms = make_forms(ADA, "GB")
    assert forms.is_in(value) is expected
    if expected and left is not None:
        assert forms.redact(value) == left
    elif not expected:
        assert forms.redact(value) == value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("from Berlin: +49 (0)151 2345-6789", True),
        ("4915123456789", True),
        ("+49 0151 23456789", True),
        ("somebody here: 0151 23456789", False),
    ],
)
def test_a_number_of_another_country_is_known_by_its_code(text: str, *, expected: bool) -> None:
    assert make_forms("4915123456789", "GB").is_in(text) is expected


def test_what_looks_like_the_number_in_a_file_is_explained_by_a_longer_one() -> None:
    forms = make_forms(ADA, "GB")
    near = f"row {ADA}4 and".encode()
    assert [near[start:end] for start, end in forms.find_traces(near)] == [b"7700900123"]
    assert forms.list_others(near) == {b" 4477009001234 a"}
    assert forms.list_others(f"row {ADA} and") == set()
