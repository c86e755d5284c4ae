"""The provider's local times, with both traps of daylight saving."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.times import read_local

LONDON = ZoneInfo("Europe/London")
ZONES = ("Europe/London", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "UTC")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("2026-01-15 12:30:00", "2026-01-15T12:30:00Z", id="winter"),
        pytest.param("2026-07-15 12:30:00", "2026-07-15T11:30:00Z", id="summer"),
        pytest.param("2026-07-15 00:30:00", "2026-07-14T23:30:00Z", id="another day in UTC"),
        pytest.param("2026-07-15T12:30:00", "2026-07-15T11:30:00Z", id="with a T"),
        pytest.param("2026-07-15 12:30", "2026-07-15T11:30:00Z", id="without seconds"),
        pytest.param("2026-07-15 12:30:00.5", "2026-07-15T11:30:00.500Z", id="with a fraction"),
        pytest.param("2026-07-15T12:30:00Z", "2026-07-15T12:30:00Z", id="Z wins over the zone"),
        pytest.param("2026-07-15 12:30:00+05:30", "2026-07-15T07:00:00Z", id="an offset wins"),
        pytest.param(" 2026-07-15 12:30:00\r\n", "2026-07-15T11:30:00Z", id="space around"),
        pytest.param("2026-03-29 00:59:59", "2026-03-29T00:59:59Z", id="before spring's gap"),
        pytest.param("2026-03-29 02:00:00", "2026-03-29T01:00:00Z", id="after spring's gap"),
        pytest.param("2026-10-25 00:59:59", "2026-10-24T23:59:59Z", id="before autumn's hour"),
        pytest.param("2026-10-25 02:00:00", "2026-10-25T02:00:00Z", id="after autumn's hour"),
        pytest.param("2026-10-25T01:30:00Z", "2026-10-25T01:30:00Z", id="Z is never ambiguous"),
    ],
)
def test_a_certain_time_has_no_problem(text: str, expected: str) -> None:
    assert read_local(text, LONDON) == (datetime.fromisoformat(expected), None)


def test_the_hour_that_spring_skips_is_guessed_and_flagged() -> None:
    moment, problem = read_local("2026-03-29 01:30:00", LONDON)
    assert moment == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert problem == "time"


@pytest.mark.parametrize("minute", ["01:00:00", "01:30:00", "01:59:59"])
def test_the_hour_that_autumn_repeats_is_taken_as_the_first(minute: str) -> None:
    moment, problem = read_local(f"2026-10-25 {minute}", LONDON)
    first = datetime.fromisoformat(f"2026-10-25 {minute}+01:00")
    assert (moment, problem) == (first, "time-ambiguous")


def test_a_day_that_a_country_skipped_is_guessed_and_flagged() -> None:
    moment, problem = read_local("2011-12-30 12:00:00", ZoneInfo("Pacific/Apia"))
    assert moment is not None
    assert problem == "time"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "yesterday",
        "2026-05-04",
        "2026-05-04 12",
        "2026-W13-7 12:00:00",
        "20260504T123000",
        "20260504123000",
        "04/05/2026 12:30:00",
        "2026-02-30 12:30:00",
        "2026-05-04 12:30:61",
        "2026-05-04 25:00:00",
        "0000-01-01 00:00:00",
        "0001-01-01 00:00:00",
        "0001-01-01 00:00:00+14:00",
        "9999-12-31 23:59:59",
        "9999-12-31 23:59:59-14:00",
        "12026-05-04 12:30:00",
        "-026-05-04 12:30:00",
        "２０２６-05-04 12:30:00",  # noqa: RUF001 (digits that only look like ASCII are the case)
        "2026-05-04 12:30:00 \ufffd",
        "2026-05-04\ud80012:30:00",
        "9" * 100_000,
    ],
)
def test_what_is_no_time_is_unreadable(text: str) -> None:
    assert read_local(text, LONDON) == (None, "time")


@settings(deadline=None)
@given(local=st.datetimes(), zone=st.sampled_from(ZONES))
def test_every_local_time_is_certain_or_flagged(local: datetime, zone: str) -> None:
    place = ZoneInfo(zone)
    moment, problem = read_local(local.isoformat(" "), place)
    if moment is None:
        assert local.year in (1, 9999)
        return
    offsets = [place.utcoffset(local.replace(fold=fold)) for fold in (0, 1)]
    assert moment == local.replace(tzinfo=UTC) - (offsets[0] or timedelta(0))
    assert (problem is None) == (offsets[0] == offsets[1])


@settings(deadline=None)
@given(quarters=st.integers(-100, 100), change=st.sampled_from(["2026-03-29", "2026-10-25"]))
def test_only_the_hour_of_the_change_is_flagged(quarters: int, change: str) -> None:
    local = datetime.fromisoformat(f"{change} 01:00") + timedelta(minutes=15 * quarters)
    _, problem = read_local(local.isoformat(" "), LONDON)
    expected = "time" if change == "2026-03-29" else "time-ambiguous"
    assert problem == (expected if 0 <= quarters < 4 else None)


@settings(deadline=None)
@given(text=st.text(max_size=40))
def test_any_text_is_read_or_unreadable(text: str) -> None:
    moment, problem = read_local(text, LONDON)
    assert moment is None or moment.tzinfo is UTC
    assert problem in (None, "time", "time-ambiguous")
