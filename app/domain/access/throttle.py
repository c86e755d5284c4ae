"""How long somebody must wait after wrong passwords."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.domain.access.members import make_name_key

# How long failures count.
FORGOTTEN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Limit:
    """Whose failures are counted together (`who`), and the delay that follows.

    The first `free` cause no delay; each further one doubles it, up to `longest`.
    """

    who: tuple[str, ...]
    free: int
    longest: timedelta


@dataclass(frozen=True, slots=True)
class Failures:
    """The number of failures, and when the last one was."""

    count: int
    last_at: datetime


def list_limits(name: str, address: str, *, is_known: bool) -> tuple[Limit, ...]:
    """The limits for somebody who signs in as `name` from `address`.

    The longest delay is for one name at one address. If all people seem to share an address, a
    stranger among them could use up its limit, and strangers can guess from anywhere: people who
    are signed in (`is_known`) are not delayed by that.
    """
    place = _find_network(address)
    folded = make_name_key(name)
    own = (
        Limit(("pair", folded, place), 3, timedelta(minutes=15)),
        Limit(("name", folded), 30, timedelta(minutes=1)),
    )
    if is_known:
        return own
    return (
        *own,
        Limit(("address", place), 20, timedelta(minutes=1)),
        Limit(("everybody",), 200, timedelta(seconds=10)),
    )


def find_wait(found: Iterable[tuple[Limit, Failures]], now: datetime) -> timedelta:
    """How long until the next attempt is allowed; zero if it is now."""
    waits = [_find_delay(limit, each.count) - (now - each.last_at) for limit, each in found]
    return max([timedelta(0), *waits])


def _find_delay(limit: Limit, count: int) -> timedelta:
    if count < limit.free:
        return timedelta(0)
    return min(timedelta(seconds=2 ** min(count - limit.free, 20)), limit.longest)


def _find_network(address: str) -> str:
    """One household has 2^64 IPv6 addresses."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False))
