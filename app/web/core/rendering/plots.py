"""The geometry and texts of plots, which a template draws.

The drawing is stretched, so its units are relative: a day is STEP wide, the scale HEIGHT high.
Texts are outside the drawing and keep their size on a phone.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

STEP = 10
GAP = 2
HEIGHT = 100
# More cannot be told apart by colour; the others become one series.
MAX_SERIES = 5
_NICE = (1, 2, 4, 6, 8, 10)

Show = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Series:
    """One value for each day, None where there is none."""

    name: str
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle; `series` counts from 1, `text` says what it stands for."""

    x: float
    y: float
    height: float
    series: int
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """`points` as SVG writes them; a lone one stands there twice, since a line needs two."""

    points: str
    series: int

    @property
    def is_lone(self) -> bool:
        """Whether it is a single day, which is drawn as a dot."""
        return len(set(self.points.split())) == 1


@dataclass(frozen=True, slots=True)
class Row:
    """A day in the table beside the plot."""

    heading: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plot:
    """`key` tells plots of one page apart; `scale` is read from the top; `rows` newest first."""

    key: str
    title: str
    summary: str
    days: int
    scale: tuple[str, str, str]
    first: str
    last: str
    names: tuple[str, ...]
    bars: tuple[Bar, ...]
    lines: tuple[Line, ...]
    rows: tuple[Row, ...]

    @property
    def width(self) -> int:
        return self.days * STEP

    @property
    def is_empty(self) -> bool:
        return not self.bars and not self.lines


def plot_bars(
    key: str, title: str, days: Sequence[date], series: Sequence[Series], *, show: Show
) -> Plot:
    """Stacked bars, one a day."""
    gathered = _gather(series)
    sums = [sum(each.values[at] or 0 for each in gathered) for at in range(len(days))]
    top = find_top(max(sums, default=0), whole=True)
    bars = tuple(_stack(days, gathered, top, show))
    return _make_plot(key, title, days, gathered, top, show, bars=bars)


def plot_lines(
    key: str,
    title: str,
    days: Sequence[date],
    series: Sequence[Series],
    *,
    show: Show,
    top: float | None = None,
) -> Plot:
    """A line for each series, with gaps at days without a value."""
    gathered = list(series[:MAX_SERIES])
    known = [value for each in gathered for value in each.values if value is not None]
    top = top or find_top(max(known, default=0), whole=False)
    lines = tuple(
        Line(" ".join(f"{x:g},{_height(value, top):g}" for x, value in run), index)
        for index, each in enumerate(gathered, 1)
        for run in _find_runs(each.values)
    )
    return _make_plot(key, title, days, gathered, top, show, lines=lines)


def find_top(value: float, *, whole: bool) -> float:
    """The end of a scale on which people read `value` easily; its half is whole where it must."""
    if value <= 0:
        return 2.0 if whole else 1.0
    unit = 10.0 ** math.floor(math.log10(value))
    top = next((n * unit for n in _NICE if n * unit >= value), 10 * unit)
    return max(top, 2.0) if whole else top


def _gather(series: Sequence[Series]) -> list[Series]:
    """The largest series, and the sum of the others as one."""
    if len(series) <= MAX_SERIES:
        return list(series)
    by_size = sorted(series, key=lambda each: -sum(value or 0 for value in each.values))
    kept, rest = by_size[: MAX_SERIES - 1], by_size[MAX_SERIES - 1 :]
    days = zip(*(each.values for each in rest), strict=True)
    others = [sum(value or 0 for value in values) for values in days]
    return [*kept, Series(f"{len(rest)} others", others)]


def _stack(days: Sequence[date], series: Sequence[Series], top: float, show: Show) -> Iterator[Bar]:
    for at, day in enumerate(days):
        below = float(HEIGHT)
        for index, each in enumerate(series, 1):
            value = each.values[at] or 0
            if value:
                height = HEIGHT * value / top
                below -= height
                text = f"{_show_day(day)}, {each.name}: {show(value)}"
                yield Bar(at * STEP + GAP / 2, round(below, 2), round(height, 2), index, text)


def _find_runs(values: Sequence[float | None]) -> Iterator[list[tuple[float, float]]]:
    """The days that follow each other without a gap, each as the middle of its place and value."""
    run: list[tuple[float, float]] = []
    for at, value in enumerate([*values, None]):
        if value is not None:
            run.append((at * STEP + STEP / 2, value))
        elif run:
            yield run if len(run) > 1 else run * 2
            run = []


def _height(value: float, top: float) -> float:
    """How far below the drawing's upper edge a value lies."""
    return round(HEIGHT - HEIGHT * min(value, top) / top, 2)


def _make_plot(
    key: str,
    title: str,
    days: Sequence[date],
    series: Sequence[Series],
    top: float,
    show: Show,
    *,
    bars: tuple[Bar, ...] = (),
    lines: tuple[Line, ...] = (),
) -> Plot:
    rows = tuple(
        Row(_show_day(day), tuple(_show_cell(each.values[at], show) for each in series))
        for at, day in enumerate(days)
    )
    first, last = (_show_day(days[0]), _show_day(days[-1])) if days else ("", "")
    return Plot(
        key,
        title,
        _summarise(series, first, last, show),
        len(days),
        (show(top), show(top / 2), show(0)),
        first,
        last,
        tuple(each.name for each in series),
        bars,
        lines,
        rows[::-1],
    )


def _summarise(series: Sequence[Series], first: str, last: str, show: Show) -> str:
    """What a person who cannot see the plot hears of it; the table has the rest."""
    parts = []
    for each in series:
        known = [value for value in each.values if value is not None]
        if known:
            parts.append(f"{each.name}: from {show(min(known))} to {show(max(known))}")
    said = "; ".join(parts) or "nothing to show"
    return f"From {first} to {last}. {said}. The table below has every day."


def _show_cell(value: float | None, show: Show) -> str:
    return "-" if value is None else show(value)


def _show_day(day: date) -> str:
    return f"{day.day} {day:%b}"
