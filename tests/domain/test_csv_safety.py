"""Cells that spreadsheets must not take for formulas."""

import csv
import io
from collections.abc import AsyncIterator

import pytest

from app.domain.csv_safety import make_cell, write_csv

SIGNS = [*"=+-@", *"\uff1d\uff0b\uff0d\uff20"]


@pytest.mark.parametrize("sign", [*SIGNS, *"\t\r\n"])
def test_what_begins_a_formula_becomes_text(sign: str) -> None:
    assert make_cell(f"{sign}HYPERLINK(1)") == f"'{sign}HYPERLINK(1)"


@pytest.mark.parametrize(
    "text",
    ["", "447700900123", "a=b", " =1", "8-5; closed on Sundays", "one\ntwo\n3", "a;b|c\td"],
)
def test_any_other_cell_stays_as_it_is(text: str) -> None:
    assert make_cell(text) == text


def test_lines_and_parts_that_begin_so_are_marked_as_well() -> None:
    assert make_cell("Please bring\n- milk\n+ bread;=1") == "Please bring\n'- milk\n'+ bread;'=1"


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("before", [";", '"; ', ';"', '";"', ";;", "\n", "\r\n", "\t", "|", ',";'])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
async def test_no_reader_finds_a_formula_whatever_separates_its_cells(
    sign: str, before: str, delimiter: str
) -> None:
    cells = ["1", f"x{before}{sign}cmd|'/C calc'!A0", "end"]

    async def read() -> AsyncIterator[list[list[str]]]:
        yield [cells]

    rows = b"".join([chunk async for chunk in write_csv(None, read(), list)]).decode()
    # Some readers know quotes, some do not.
    for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_NONE):
        for row in csv.reader(io.StringIO(rows), delimiter=delimiter, quoting=quoting):
            assert not [cell for cell in row if cell.lstrip(' "').startswith(sign)], row
