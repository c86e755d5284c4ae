"""Addresses of notifications: read, masked, scrubbed from errors, due or not."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.domain.errors import InvalidInput
from app.domain.operations.notify_addresses import (
    INTERVAL,
    PAUSES,
    Schedule,
    Wishes,
    check_wishes,
    describe_wishes,
    find_pause,
    find_summary_day,
    is_quiet,
    mask_address,
    may_send,
    read_address,
    scrub,
    split_addresses,
)

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ()),
        ("ntfy://one", ("ntfy://one",)),
        ("ntfy://one, ntfy://two\n slack://a/b/c", ("ntfy://one", "ntfy://two", "slack://a/b/c")),
        ("mailto://u:p@h?to=a@x,b@y,ntfy://two", ("mailto://u:p@h?to=a@x,b@y", "ntfy://two")),
        ("ntfy://one ntfy://one,", ("ntfy://one",)),
    ],
)
def test_addresses_are_split_at_spaces_and_commas(text: str, found: tuple[str, ...]) -> None:
    assert split_addresses(text) == found


def test_a_mistyped_address_is_refused_without_repeating_it() -> None:
    with pytest.raises(ValueError, match="address 1 is none") as refused:
        split_addresses("user:hunter2@example.com")
    assert "hunter2" not in str(refused.value)
    with pytest.raises(InvalidInput) as rejected:
        read_address("user:hunter2@example.com")
    assert "hunter2" not in str(rejected.value)


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("mailto://me:hunter2@example.com", "mailto://….com"),
        ("SLACK://TokenA/TokenB/TokenC/?footer=no&x=secret", "slack://…kenC"),
        ("ntfy://short", "ntfy://…"),
    ],
)
def test_only_the_service_and_a_tail_are_shown(address: str, masked: str) -> None:
    assert str(mask_address(address)) == masked
    assert str(mask_address(address, "Desk")) == f"Desk ({masked})"


def test_an_error_loses_every_part_of_the_address() -> None:
    address = "json://me:hunter2%40home@host.example/path?to=TokenC"
    error = "POST http://me:hunter2@home@host.example/path failed: TOKENC is wrong (401)"
    scrubbed = scrub(error, address)
    for part in ("hunter2", "home", "host.example", "TOKENC", "path"):
        assert part not in scrubbed
    assert "is wrong (401)" in scrubbed


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"alerts": False}, "alerts"),
        ({"quiet_from": "22:00"}, "quiet_until"),
        ({"quiet_until": "22:00"}, "quiet_from"),
        ({"quiet_from": "22:00", "quiet_until": "22:00"}, "quiet_until"),
        ({"quiet_from": "25:00", "quiet_until": "07:00"}, "quiet_from"),
        ({"summary_at": "8"}, "summary_at"),
        ({"zone": "Mars/Olympus"}, "zone"),
    ],
)
def test_what_cannot_be_wished_names_its_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_wishes(Wishes(**changes))
    assert refused.value.field == field


def test_quiet_hours_cross_midnight_in_their_zone() -> None:
    wishes = Wishes(texts=True, quiet_from="22:00", quiet_until="07:00", zone="Europe/London")
    assert not is_quiet(wishes, NOW)
    assert is_quiet(wishes, NOW.replace(hour=21))  # 22:00 in London
    assert is_quiet(wishes, NOW.replace(hour=5, minute=59))
    assert not is_quiet(wishes, NOW.replace(hour=6))
    assert not is_quiet(Wishes(texts=True), NOW)


def test_a_message_waits_for_the_interval_and_the_pause_but_not_for_a_clock_set_back() -> None:
    assert may_send(Schedule(Wishes()), NOW)
    sent = Schedule(Wishes(), sent_at=NOW)
    assert not may_send(sent, NOW + INTERVAL - timedelta(seconds=1))
    assert may_send(sent, NOW + INTERVAL)
    assert may_send(sent, NOW - timedelta(hours=2))
    failed = Schedule(Wishes(), next_at=NOW + PAUSES[-1])
    assert not may_send(failed, NOW)
    assert may_send(failed, NOW - timedelta(hours=2))


def test_pauses_grow_up_to_an_hour() -> None:
    pauses = [find_pause(failures) for failures in range(9)]
    assert pauses == sorted(pauses)
    assert (pauses[1], pauses[-1]) == (timedelta(seconds=15), timedelta(hours=1))


def test_a_summary_is_due_once_a_local_day() -> None:
    wishes = Wishes(summary_at="08:00", zone="Pacific/Auckland")  # UTC+12
    at = NOW.replace(hour=20)
    day = find_summary_day(Schedule(wishes), at)
    assert day is not None
    assert day.isoformat() == "2026-06-02"
    told = Schedule(wishes, summary_on="2026-06-02")
    assert find_summary_day(told, at) is None
    assert find_summary_day(told, at + timedelta(hours=23)) is None
    assert find_summary_day(told, at + timedelta(days=1)) is not None
    assert find_summary_day(Schedule(Wishes()), at) is None


def test_wishes_are_described_in_a_few_words() -> None:
    wishes = Wishes(True, True, ("447700900001",), "22:00", "07:00", "08:00", "Europe/London")
    assert describe_wishes(wishes) == (
        "alerts; texts that need an answer to 447700900001, not from 22:00 to 07:00"
        " (Europe/London); a summary at 08:00 (Europe/London)"
    )
