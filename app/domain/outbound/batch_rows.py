"""The rows of a batch: which numbers they name, what their text becomes, and what is wrong."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from app.domain.errors import InvalidInput
from app.domain.numbers import read_number
from app.domain.outbound.gsm import LONGEST_BODY, measure_text
from app.domain.outbound.recipients import WRONG_LENGTH, may_be_texted
from app.domain.templates import check_placeholders, fill_template, fold_name, list_missing

# Larger files are split by whoever sends them: so many texts take 17 minutes at the usual pace.
MOST_ROWS = 10_000
MOST_COLUMNS = 100
NUMBER = "number"

RowFaultCode = Literal["number", "mangled", "repeated", "missing", "too-long", "blank"]
# What a spreadsheet makes of a number in a narrow column, as in 4.47701E+11.
_MANGLED = re.compile(r"\d([.,]\d+)?E\+\d+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Row:
    """One row as it came. `line` is as a spreadsheet counts its rows."""

    line: int
    cells: Sequence[str]


@dataclass(frozen=True, slots=True)
class Columns:
    """The headings of the rows, and the place of the one with the numbers."""

    headings: Sequence[str]
    number: int

    @property
    def names(self) -> dict[str, int]:
        """The place of each column by its folded name; of two alike the first counts."""
        places: dict[str, int] = {NUMBER: self.number}
        for place, heading in enumerate(self.headings):
            if name := fold_name(heading):
                places.setdefault(name, place)
        return places

    def list_values(self, cells: Sequence[str]) -> dict[str, str]:
        """The row's values for placeholders."""
        return {name: _get_cell(cells, place).strip() for name, place in self.names.items()}


@dataclass(frozen=True, slots=True)
class CheckedRow:
    """A row with its number and parts, or with what is wrong: a code, and the words for people."""

    row: Row
    number: str | None
    parts: int = 0
    fault: RowFaultCode | None = None
    fault_text: str | None = None


@dataclass
class RowChecker:
    """Checks the rows of one batch in their order; remembers which numbers it has seen."""

    template: str
    columns: Columns
    region: str
    _seen: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises InvalidInput for a template that no row can fill."""
        check_placeholders(self.template, self.columns.names, field="body", noun="text")

    def check(self, row: Row) -> CheckedRow:
        written = _get_cell(row.cells, self.columns.number).strip()
        try:
            number = read_number(written, self.region)
        except InvalidInput:
            return _refuse_number(row, written)
        if not may_be_texted(number, self.region):
            return CheckedRow(row, None, 0, "number", WRONG_LENGTH)
        first = self._seen.setdefault(number, row.line)
        if first != row.line:
            return CheckedRow(row, None, 0, "repeated", f"the same number is in row {first}")
        return self._check_text(row, number)

    def _check_text(self, row: Row, number: str) -> CheckedRow:
        values = self.columns.list_values(row.cells)
        if missing := list_missing(self.template, values):
            names = ", ".join(f"{{{name}}}" for name in dict.fromkeys(missing))
            return CheckedRow(row, number, 0, "missing", f"no value for {names}")
        body = fill_template(self.template, values)
        if len(body) > LONGEST_BODY:
            text = f"{len(body)} characters once filled; at most {LONGEST_BODY}"
            return CheckedRow(row, number, 0, "too-long", text)
        if not body.strip():
            return CheckedRow(row, number, 0, "blank", "the text is blank once filled")
        return CheckedRow(row, number, len(measure_text(body).parts))


def fill_row(template: str, columns: Columns, cells: Sequence[str]) -> str:
    """The text of a good row."""
    return fill_template(template, columns.list_values(cells))


def make_rows(objects: Iterable[Mapping[str, str]]) -> tuple[Columns, list[Row]]:
    """The rows that a program sent as objects, whose names may differ; counted from 1."""
    given = list(objects)
    headings = list(dict.fromkeys([NUMBER, *(name for each in given for name in each)]))
    rows = [
        Row(line, [each.get(name, "") for name in headings]) for line, each in enumerate(given, 1)
    ]
    return Columns(headings, 0), rows


def _refuse_number(row: Row, written: str) -> CheckedRow:
    if not written:
        return CheckedRow(row, None, 0, "number", "there is no number")
    if _MANGLED.fullmatch(written):
        return CheckedRow(
            row,
            None,
            0,
            "mangled",
            "the spreadsheet has shortened this number: format the column as text or as a number"
            " without decimals, and save the file again",
        )
    return CheckedRow(row, None, 0, "number", "not a full phone number")


def _get_cell(cells: Sequence[str], place: int) -> str:
    return cells[place] if place < len(cells) else ""
