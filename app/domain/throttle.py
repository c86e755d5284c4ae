"""How long somebody waits, after wrong passwords, until another one is looked at."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

# Nobody's failures are held against them for longer.
FORGOTTEN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Limit:
    """Whose failures are counted together (`who`), and what follows from them.

    The first `free` cost nothing; from then on each doubles the wait, up to `longest`.
    """

    who: tuple[str, ...]
    free: int
    longest: timedelta


@dataclass(frozen=True, slots=True)
class Failures:
    """How many there were, and when the last one was."""

    count: int
    last_at: datetime


def list_limits(name: str, address: str, *, is_known: bool) -> tuple[Limit, ...]:
    """The limits of whoever calls themselves `name` at `address`.

    Guessing under one name at one address is what waits longest. Where all people seem to have one
    address, a stranger among them may use it up, and others may guess from everywhere: those who
    have signed in before (`is_known`) do not wait for that.
    """
    place = _find_network(address)
    folded = name.casefold()
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
    """How long until the next password may be looked at; zero where that is now."""
    waits = [_find_delay(limit, each.count) - (now - each.last_at) for limit, each in found]
    return max([timedelta(0), *waits])


def _find_delay(limit: Limit, count: int) -> timedelta:
    if count < limit.free:
        return timedelta(0)
    return min(timedelta(seconds=2 ** min(count - limit.free, 20)), limit.longest)


def _find_network(address: str) -> str:
    """One household has 2^64 addresses of IPv6."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False))
