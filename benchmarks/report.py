"""Tables of ratios: a figure, its range, and its target."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure should reach; if it does not, the table says so, and nothing fails."""

    limit: float
    at_least: bool = False

    def is_met(self, value: float) -> bool:
        return value >= self.limit if self.at_least else value <= self.limit

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.limit:g}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measure in all its rounds; the table shows the median and the range."""

    values: Sequence[float]
    target: Target | None = None

    def __str__(self) -> str:
        if not self.values:
            return "-"
        middle = median(self.values)
        text = _round(middle)
        if len(self.values) > 1:
            text += f" ({_round(min(self.values))} to {_round(max(self.values))})"
        missed = self.target is not None and not self.target.is_met(middle)
        return f"{text} MISSED {self.target}" if missed else text


@dataclass(frozen=True, slots=True)
class Table:
    """A heading, the columns' names, and rows of a name and its cells."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]

    def as_text(self) -> str:
        lines = [self.columns, *self.rows]
        widths = [max(len(line[place]) for line in lines) for place in range(len(self.columns))]
        return "\n".join([self.title, "", *(_align(line, widths) for line in lines)])

    def as_markdown(self) -> str:
        lines = [self.columns, ("---",) * len(self.columns), *self.rows]
        return "\n".join([f"**{self.title}**", "", *(f"| {' | '.join(line)} |" for line in lines)])


def show_targets(*targets: Target) -> str:
    """`≤ 3`, or each column's own with a stroke between."""
    return " / ".join(dict.fromkeys(str(target) for target in targets))


def _align(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return ("  " + "   ".join(padded)).rstrip()


def _round(value: float) -> str:
    """Three digits that count, never an exponent."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
