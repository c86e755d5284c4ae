"""Finds the address of whoever calls, through the proxies that are trusted and no others."""

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def find_caller(scope: Mapping[str, Any], trusted: Sequence[Network]) -> str:
    """The caller's address, "" where the transport tells none.

    X-Forwarded-For is read from right to left for as long as the one who wrote the entry is a
    trusted proxy: whatever stands further left anybody could have written.
    """
    client = scope.get("client")
    address = client[0] if client else ""
    entries: list[str] | None = None
    while _is_trusted(address, trusted):
        if entries is None:
            entries = _read_entries(scope)
        if not entries:
            break
        address = entries.pop()
    return address


def _read_entries(scope: Mapping[str, Any]) -> list[str]:
    values = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    entries = b",".join(values).decode("latin-1").split(",")
    return [entry.strip() for entry in entries if entry.strip()]


def _is_trusted(address: str, trusted: Sequence[Network]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in trusted)
