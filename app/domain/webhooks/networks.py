"""Which addresses a webhook may call: public ones, and the networks that a setting allows."""

import ipaddress
from collections.abc import Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# IANA's special-purpose registry of IPv4, and Azure's host, which answers at a public address.
_NOT_PUBLIC_4 = tuple(
    map(
        ipaddress.IPv4Network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "168.63.129.16/32",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
        ),
    )
)
# Of IPv6 only this is public, except for protocols of their own (Teredo, ORCHID), examples, and
# 6to4, whose addresses lead to IPv4.
_GLOBAL_6 = ipaddress.IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(
    map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))
)
# Translated by NAT64: the last four bytes are an IPv4 address.
_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
# ISATAP: the last four bytes are one, too.
_ISATAP = frozenset({0x00005EFE, 0x02005EFE})


def may_call(address: Address, allowed: Sequence[Network], *, is_secure: bool) -> bool:
    """Whether a webhook may be sent there; without TLS only to networks that are allowed."""
    target = unwrap(address)
    if any(target.version == each.version and target in each for each in allowed):
        return True
    return is_secure and is_public(target)


def unwrap(address: Address) -> Address:
    """The IPv4 address that a mapped or translated IPv6 address leads to; others as they are."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _TRANSLATED:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def is_public(address: Address) -> bool:
    """Whether anybody may be there."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in each for each in _NOT_PUBLIC_4)
    is_isatap = (int(address) >> 32) & 0xFFFFFFFF in _ISATAP
    is_special = any(address in each for each in _NOT_PUBLIC_6)
    return address in _GLOBAL_6 and not is_special and not is_isatap
