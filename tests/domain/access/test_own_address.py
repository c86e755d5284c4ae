"""Whether an address can be reached from outside."""

import pytest

from app.domain.access.own_address import is_loopback


@pytest.mark.parametrize(
    ("host", "is_ours_alone"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("::1", True),
        ("10.0.0.1", False),
        ("a.test", False),
    ],
)
def test_a_loopback_is_reached_from_this_machine_only(host: str, is_ours_alone: bool) -> None:
    assert is_loopback(host) == is_ours_alone
