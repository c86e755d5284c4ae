"""Whose wrong passwords are counted together, and how long who has to wait."""

from datetime import timedelta

import pytest

from app.domain.access.throttle import Failures, find_wait, list_limits
from tests.conftest import NOW


def list_who(name: str, address: str) -> set[tuple[str, ...]]:
    return {limit.who for limit in list_limits(name, address, is_known=False)}


def test_nobody_waits_for_other_names_from_other_places_but_all_together() -> None:
    shared = list_who("Ada", "192.0.2.1") & list_who("Grace", "192.0.2.2")
    assert shared == {("everybody",)}


def test_a_name_is_the_same_in_any_case() -> None:
    assert list_who("ADA", "192.0.2.1") == list_who("ada", "192.0.2.1")


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("2001:db8::1", "2001:db8:0:0:ffff::2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("", "", True),
        ("unix", "unix", True),
    ],
)
def test_one_network_of_ipv6_is_one_place(one: str, other: str, alike: bool) -> None:
    assert (list_who("Ada", one) == list_who("Ada", other)) is alike


@pytest.mark.parametrize(
    ("count", "seconds"), [(2, 0), (3, 1), (4, 2), (12, 512), (13, 900), (10**9, 900)]
)
def test_the_wait_doubles_up_to_its_longest(count: int, seconds: int) -> None:
    pair = list_limits("Ada", "192.0.2.1", is_known=True)[0]
    assert find_wait([(pair, Failures(count, NOW))], NOW) == timedelta(seconds=seconds)


def test_the_longest_wait_counts_and_passes() -> None:
    pair, name, *_ = list_limits("Ada", "192.0.2.1", is_known=True)
    found = [(pair, Failures(5, NOW)), (name, Failures(40, NOW))]
    assert find_wait(found, NOW) == timedelta(seconds=60)
    assert find_wait(found, NOW + timedelta(seconds=59)) == timedelta(seconds=1)
    assert find_wait(found, NOW + timedelta(days=1)) == timedelta(0)
