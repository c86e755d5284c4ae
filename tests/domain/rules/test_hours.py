"""Which names are time zones."""

from zoneinfo import available_timezones

import pytest

from app.domain.rules.hours import is_zone


def test_every_zone_that_the_system_lists_is_one() -> None:
    assert [name for name in available_timezones() if not is_zone(name)] == []


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "London",
        "Europe",
        "Europe/",
        "Europe/Atlantis",
        "../Europe/London",
        "/etc/localtime",
        "posix/Europe/London",
        "right/Europe/London",
        "posixrules",
        "zone.tab",
        "Europe/London\0",
        "\ud800",
        "x" * 5000,
    ],
)
def test_what_is_no_zone_is_told_from_one(name: str) -> None:
    assert not is_zone(name)
    assert name not in available_timezones()
