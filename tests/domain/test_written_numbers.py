"""Numbers in longer texts, however they are written."""

import pytest

from app.domain.written_numbers import make_finder, make_like

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
    assert make_finder(ADA)(text) is expected


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
    assert make_finder(number)(text) is expected


def test_what_a_database_is_asked_for_needs_neither_signs_nor_accents() -> None:
    assert make_like(ADA) == "%7%7%0%0%9%0%0%1%2%3%"
    assert make_like("Café_24") == "%Caf%24%"
    assert make_like("Привет") == "%%"
