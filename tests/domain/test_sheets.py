"""Cells that spreadsheets must not take for formulas."""

import pytest

from app.domain.sheets import make_cell


@pytest.mark.parametrize("sign", [*"=+-@\t\r\n", *"\uff1d\uff0b\uff0d\uff20"])
def test_what_begins_a_formula_becomes_text(sign: str) -> None:
    assert make_cell(f"{sign}HYPERLINK(1)") == f"'{sign}HYPERLINK(1)"


@pytest.mark.parametrize("text", ["", "447700900123", "a=b", " =1"])
def test_any_other_cell_stays_as_it_is(text: str) -> None:
    assert make_cell(text) == text
