"""Finds the address of whoever calls, through the proxies that are trusted and no others."""

import ipaddress
from collections.abc import Iterable, Sequence

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

Headers = Iterable[tuple[bytes, bytes]]

MAX_KNOWN = 1_000


class CallerFinder:
    """Remembers what it found of each address, for the same few proxies call all the time."""

    def __init__(self, trusted: Sequence[Network]) -> None:
        self._trusted = trusted
        self._known: dict[str, bool] = {}

    def find(self, client: tuple[str, int] | None, headers: Headers) -> str:
        """The caller's address, "" where the transport tells none.

        X-Forwarded-For is read from right to left for as long as the one who wrote the entry is a
        trusted proxy: whatever stands further left anybody could have written.
        """
        address = client[0] if client else ""
        entries: list[str] | None = None
        while self._is_trusted(address):
            if entries is None:
                entries = _read_entries(headers)
            if not entries:
                break
            address = entries.pop()
        return address

    def _is_trusted(self, address: str) -> bool:
        known = self._known.get(address)
        if known is None:
            known = is_within(address, self._trusted)
            if len(self._known) < MAX_KNOWN:
                self._known[address] = known
        return known


def is_within(address: str, networks: Sequence[Network]) -> bool:
    """Whether the address is of one of the networks; what is no address is of none."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks)


def _read_entries(headers: Headers) -> list[str]:
    values = [value for name, value in headers if name == b"x-forwarded-for"]
    if not values:
        return []
    entries = b",".join(values).decode("latin-1").split(",")
    return [entry.strip() for entry in entries if entry.strip()]
