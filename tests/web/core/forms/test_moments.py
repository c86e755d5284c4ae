"""Times that people type are read in the zone that is named beside them, without a guess."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from app.domain.errors import InvalidInput
from app.web.core.forms.form import Form
from app.web.core.forms.moments import read_moment, read_zone, write_fold, write_local, write_moment
from app.web.core.lists import read_day

LONDON = ZoneInfo("Europe/London")


def make_form(**values: str) -> Form:
    return Form(list(values.items()))


def read(**values: str) -> datetime | None:
    return read_moment(make_form(**values), "at", LONDON)


@pytest.mark.parametrize(
    ("values", "hour"),
    [
        ({"at": "2026-06-01T12:00"}, 11),
        ({"at": "2026-06-01T12:00", "zone": "Europe/Paris"}, 10),
        ({"at": "2026-06-01T12:00", "zone": "America/New_York"}, 16),
        ({"at": "2026-10-25T01:30", "zone": "America/New_York"}, 5),
        ({"at": "2026-06-01T12:00", "at_fold": "1"}, 11),
    ],
)
def test_a_time_is_read_in_the_zone_of_its_form(values: dict[str, str], hour: int) -> None:
    moment = read(**values)
    assert moment is not None
    assert moment.astimezone(UTC).hour == hour


def test_no_time_is_no_time() -> None:
    assert read(at="", zone="Nowhere/City") is None
    assert read(at="  ") is None


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"at": "tomorrow"}, "enter a date and a time"),
        ({"at": "2026-02-30T10:00"}, "enter a date and a time"),
        ({"at": "2026-03-29T01:30"}, "the clocks go from 01:00 to 02:00 that night"),
        (
            {"at": "2026-10-04T02:10", "zone": "Australia/Lord_Howe"},
            "the clocks go from 02:00 to 02:30 that night",
        ),
        ({"at": "2026-10-25T01:30"}, "this time comes twice in Europe/London"),
        ({"at": "2026-10-25T01:30", "at_fold": "2"}, "choose which one"),
        ({"at": "2026-06-01T12:00", "zone": "Nowhere/City"}, "read in Europe/London time instead"),
        ({"at": "2026-06-01T12:00", "zone": "../etc/passwd"}, "is not known here"),
    ],
)
def test_what_is_doubtful_is_asked_at_its_field(values: dict[str, str], says: str) -> None:
    with pytest.raises(InvalidInput, match=says) as found:
        read(**values)
    assert found.value.field == "at"


@pytest.mark.parametrize(("fold", "hour"), [("0", 0), ("1", 1)])
def test_the_repeated_hour_is_the_one_that_is_chosen(fold: str, hour: int) -> None:
    form = make_form(at="2026-10-25T01:30", at_fold=fold)
    moment = read_moment(form, "at", LONDON)
    assert moment == datetime(2026, 10, 25, hour, 30, tzinfo=UTC)
    assert form.repeated["at"] == [
        ("0", "25 Oct 2026, 01:30 BST, before the clocks go back"),
        ("1", "25 Oct 2026, 01:30 GMT, after the clocks go back"),
    ]
    assert (write_moment(moment, LONDON), write_fold(moment, LONDON)) == ("2026-10-25T01:30", fold)


@pytest.mark.parametrize(
    ("zone", "written"),
    [
        ("Europe/London", "1 Jun 2026, 13:00 BST"),
        ("Asia/Kathmandu", "1 Jun 2026, 17:45 UTC+05:45"),
        ("America/Sao_Paulo", "1 Jun 2026, 09:00 UTC-03:00"),
        ("UTC", "1 Jun 2026, 12:00 UTC"),
    ],
)
def test_a_time_is_written_with_the_name_of_its_zone(zone: str, written: str) -> None:
    assert write_local(datetime(2026, 6, 1, 12, tzinfo=UTC), ZoneInfo(zone)) == written


def test_a_day_begins_at_the_midnight_of_its_form() -> None:
    form = make_form(since="2026-06-01", zone="America/New_York")
    assert read_day(form, "since", LONDON) == datetime(2026, 6, 1, 4, tzinfo=UTC)
    assert read_day(make_form(since="2026-06-01"), "since", LONDON, is_end=True) == datetime(
        2026, 6, 1, 23, tzinfo=UTC
    )
    assert read_zone(make_form(zone="posix/Europe/London"), LONDON) is LONDON
