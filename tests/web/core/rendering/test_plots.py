"""Plots as figures: where bars and lines lie, and what stands beside them."""

from datetime import date, timedelta

import pytest

from app.web.core.rendering.plots import HEIGHT, Series, find_top, plot_bars, plot_lines

DAYS = [date(2026, 5, 31) + timedelta(days=index) for index in range(3)]


def show(value: float) -> str:
    return f"{value:g}"


@pytest.mark.parametrize(
    ("value", "top"),
    [(0, 2), (1, 2), (3, 4), (4, 4), (5, 6), (9, 10), (11, 20), (99, 100), (1001, 2000)],
)
def test_a_scale_of_counts_ends_where_its_half_is_whole(value: float, top: float) -> None:
    assert find_top(value, whole=True) == top


def test_a_scale_of_measures_may_be_small() -> None:
    assert find_top(0.3, whole=False) == pytest.approx(0.4)


def test_bars_of_a_day_stand_upon_each_other() -> None:
    plot = plot_bars(
        "texts", "Texts", DAYS, [Series("A", [1, 0, 2]), Series("B", [1, 0, 2])], show=show
    )
    assert plot.scale == ("4", "2", "0")
    assert [(bar.x, bar.y, bar.height, bar.series) for bar in plot.bars] == [
        (1, 75, 25, 1),
        (1, 50, 25, 2),
        (21, 50, 50, 1),
        (21, 0, 50, 2),
    ]
    assert plot.bars[-1].text == "2 Jun, B: 2"


def test_small_series_are_drawn_as_one() -> None:
    series = [Series(str(size), [size, 0, 0]) for size in range(1, 8)]
    plot = plot_bars("texts", "Texts", DAYS, series, show=show)
    assert plot.names == ("7", "6", "5", "4", "3 others")
    assert plot.rows[-1].cells[-1] == "6"
    assert sum(bar.height for bar in plot.bars) == pytest.approx(HEIGHT * 28 / 40)


def test_a_line_breaks_where_a_day_has_no_value() -> None:
    plot = plot_lines("rate", "Rate", DAYS, [Series("A", [1, None, 0.5])], show=show, top=1)
    assert [line.points for line in plot.lines] == ["5,0 5,0", "25,50 25,50"]


def test_a_line_does_not_leave_the_drawing() -> None:
    plot = plot_lines("rate", "Rate", DAYS, [Series("A", [2, 0, 1])], show=show, top=1)
    assert plot.lines[0].points == "5,0 15,100 25,0"


def test_the_table_has_every_day_newest_first() -> None:
    plot = plot_lines("rate", "Rate", DAYS, [Series("A", [1, None, 0])], show=show)
    assert [(row.heading, row.cells) for row in plot.rows] == [
        ("2 Jun", ("0",)),
        ("1 Jun", ("-",)),
        ("31 May", ("1",)),
    ]


def test_a_plot_says_what_it_shows() -> None:
    plot = plot_lines("rate", "Rate", DAYS, [Series("A", [1, None, 3])], show=show)
    assert plot.summary.startswith("From 31 May to 2 Jun. A: from 1 to 3.")


def test_a_plot_without_values_says_so() -> None:
    plot = plot_bars("texts", "Texts", DAYS, [], show=show)
    assert plot.is_empty
    assert "nothing to show" in plot.summary


def test_a_day_alone_is_a_dot() -> None:
    plot = plot_lines("time", "Time", DAYS, [Series("A", [None, 3, None])], show=show)
    assert [line.is_lone for line in plot.lines] == [True]
    plot = plot_lines("time", "Time", DAYS, [Series("A", [1, 1, None])], show=show)
    assert [line.is_lone for line in plot.lines] == [False]
