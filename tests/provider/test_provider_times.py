"""The provider's local times, in reports and in the windows that ask for them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from app.domain.errors import InvalidInput
from app.provider.times import format_schedule, format_window, read_report_time
from tests.support.provider import LONDON


@pytest.mark.parametrize(
    ("text", "at", "ambiguous"),
    [
        ("01/02/2026 13:14:15", datetime(2026, 2, 1, 13, 14, 15, tzinfo=UTC), False),
        ("01/07/2026 00:30:00", datetime(2026, 6, 30, 23, 30, tzinfo=UTC), False),
        (" 1/7/2026 9:05 ", datetime(2026, 7, 1, 8, 5, tzinfo=UTC), False),
        ("2026-07-01 09:05:00", datetime(2026, 7, 1, 8, 5, tzinfo=UTC), False),
        ("2026-07-01T09:05:00", datetime(2026, 7, 1, 8, 5, tzinfo=UTC), False),
        ("25/10/2026 00:59:59", datetime(2026, 10, 24, 23, 59, 59, tzinfo=UTC), False),
        ("25/10/2026 01:00:00", datetime(2026, 10, 25, 0, 0, tzinfo=UTC), True),
        ("25/10/2026 01:59:59", datetime(2026, 10, 25, 0, 59, 59, tzinfo=UTC), True),
        ("25/10/2026 02:00:00", datetime(2026, 10, 25, 2, 0, tzinfo=UTC), False),
        ("29/03/2026 01:30:00", datetime(2026, 3, 29, 1, 30, tzinfo=UTC), True),
        ("29/03/2026 02:00:00", datetime(2026, 3, 29, 1, 0, tzinfo=UTC), False),
        ("01-07-2026 09:05:00", datetime(2026, 7, 1, 8, 5, tzinfo=UTC), False),
        ("01.07.2026 09:05", datetime(2026, 7, 1, 8, 5, tzinfo=UTC), False),
        ("2026/07/01 09:05:00.123", datetime(2026, 7, 1, 8, 5, tzinfo=UTC), False),
        ("01/07/2026  09:05:00", datetime(2026, 7, 1, 8, 5, tzinfo=UTC), False),
        ("01/07/2026, 9:05:00", datetime(2026, 7, 1, 8, 5, tzinfo=UTC), False),
        ("1 Jul 2026 09:05:00", datetime(2026, 7, 1, 8, 5, tzinfo=UTC), False),
        ("01-July-2026 09:05", datetime(2026, 7, 1, 8, 5, tzinfo=UTC), False),
        ("20260701090500", datetime(2026, 7, 1, 8, 5, tzinfo=UTC), False),
        ("01/07/2026 9:05:00 PM", datetime(2026, 7, 1, 20, 5, tzinfo=UTC), False),
        ("01/07/2026 12:05 am", datetime(2026, 6, 30, 23, 5, tzinfo=UTC), False),
        ("2026-07-01T09:05:00Z", datetime(2026, 7, 1, 9, 5, tzinfo=UTC), False),
        ("2026-07-01 09:05:00 GMT", datetime(2026, 7, 1, 9, 5, tzinfo=UTC), False),
        ("2026-10-25T01:30:00+01:00", datetime(2026, 10, 25, 0, 30, tzinfo=UTC), False),
        ("01/07/2026 13:05:00 PM", None, False),
        ("01/07/2026 0:05 AM", None, False),
        ("1 Foo 2026 09:05:00", None, False),
        ("20261301090500", None, False),
        ("01/07/2026", None, False),
        ("", None, False),
        ("12/31/2026 10:00:00", None, False),
        ("00/00/0000 00:00:00", None, False),
        ("2026-02-30 10:00:00", None, False),
        ("01/02/2026 24:00:00", None, False),
        ("yesterday", None, False),
        ("01/02/26 10:00:00", None, False),
        ("01/01/0001 00:00:00", datetime(1, 1, 1, 0, 1, 15, tzinfo=UTC), False),
    ],
)
def test_report_time_is_utc_and_says_where_it_is_doubtful(
    text: str, at: datetime | None, ambiguous: bool
) -> None:
    time = read_report_time(text, LONDON)

    assert (time.text, time.at, time.ambiguous) == (text, at, ambiguous)


@pytest.mark.parametrize(
    ("since", "until", "window"),
    [
        (
            datetime(2026, 1, 1, 10, 0, 0, 999, tzinfo=UTC),
            datetime(2026, 1, 1, 11, 0, 0, 1, tzinfo=UTC),
            ("20260101100000", "20260101110001"),
        ),
        (
            datetime(2026, 7, 1, tzinfo=UTC),
            datetime(2026, 7, 2, tzinfo=LONDON),
            ("20260701010000", "20260702000000"),
        ),
        (
            datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
            datetime(2026, 10, 25, 0, 40, tzinfo=UTC),
            ("20261025003000", "20261025024000"),
        ),
        (
            datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
            datetime(2026, 10, 25, 1, 40, tzinfo=UTC),
            ("20261025003000", "20261025024000"),
        ),
    ],
)
def test_window_holds_all_that_is_asked_for(
    since: datetime, until: datetime, window: tuple[str, str]
) -> None:
    assert format_window(since, until, LONDON) == window


@pytest.mark.parametrize(
    "at",
    [
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5))),
        datetime(999, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 1, tzinfo=timezone(-timedelta(hours=5))),
    ],
)
def test_time_that_has_no_form_for_the_provider_is_refused(at: datetime) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(InvalidInput, match="before 1970 or after 9998"):
        format_schedule(at, LONDON)
    for since, until in ((at, now), (now, at)):
        with pytest.raises(InvalidInput) as caught:
            format_window(since, until, LONDON)
        assert caught.value.field == ("since" if since is at else "until")
