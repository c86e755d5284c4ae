"""Finds the address of whoever calls, through the proxies that are trusted and no others."""

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

Headers = Iterable[tuple[bytes, bytes]]

# A peer's address, whether it is trusted, and whether it might be one of our proxies.
_Peer = tuple[str, bool, bool]

# How many results are cached: the same few addresses call all the time.
MAX_KNOWN = 1_000
# Proxies in a row; nobody has this many.
MAX_HOPS = 32
LOOKS = 500
# Longer than any address in brackets with a zone and a port.
MAX_WRITTEN = 80

FORWARDED_FOR = b"x-forwarded-for"
FORWARDED = b"forwarded"

# `[2001:db8::7]:443`, `192.0.2.7:51234`, or only an address.
_WRITTEN = re.compile(r"\[([^\]]*)\](?::[\w.-]+)?|([0-9.]+):[\w.-]+|(.*)", re.ASCII)
_FORWARDED_FOR_PARAMETER = re.compile(r'(?:^|;)\s*for\s*=\s*"?([^";]*)', re.IGNORECASE)
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")


def read_address(text: str) -> str:
    """The address in its usual form, without brackets, port and zone; "" if it is not one.

    An IPv4 address mapped into IPv6 becomes the IPv4 address: a socket that listens on `::` reports
    them all like that.
    """
    parsed = _parse(text)
    return "" if parsed is None else str(parsed)


class NetworkSet:
    """Networks to look an address up in; the results are cached."""

    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks = [_unmap(network) for network in networks]
        self._known: dict[str, bool] = {}

    def __contains__(self, address: str) -> bool:
        known = self._known.get(address)
        if known is None:
            parsed = _parse(address)
            known = parsed is not None and any(parsed in each for each in self._networks)
            # Not cached: text that is not an address could have any length.
            if parsed is not None and len(self._known) < MAX_KNOWN:
                self._known[address] = known
        return known


class CallerFinder:
    """Finds the caller: the peer, or the address that trusted proxies report."""

    def __init__(
        self, trusted: Sequence[Network], on_unheeded: Callable[[str], None] | None = None
    ) -> None:
        """`on_unheeded` is called with a nearby proxy that reports callers but is not trusted."""
        self._trusted = NetworkSet(trusted)
        self._peers: dict[str, _Peer] = {}
        self._on_unheeded = on_unheeded
        self._looks = 0

    def find(self, client: tuple[str, int] | None, headers: Headers) -> str:
        """The caller's address; "" if the transport has none.

        X-Forwarded-For, else Forwarded (RFC 7239), is read from right to left for as long as the
        writer of the entry is a trusted proxy: anybody could have written the entries further left.
        At an entry that is not an address, the proxy that wrote it counts as the caller.
        """
        address, is_trusted, is_near = self._find_peer(client)
        if is_near and self._on_unheeded is not None:
            self._looks += 1
            # Whoever sends such headers sends them always: after a while a sample is enough.
            if self._looks < LOOKS or not self._looks % LOOKS:
                unheeded = self.find_unheeded(client, headers)
                if unheeded:
                    self._on_unheeded(unheeded)
        return self._follow(address, headers)[0] if is_trusted else address

    def _follow(self, address: str, headers: Headers) -> tuple[str, bool]:
        """The caller by the entries of a trusted proxy, and whether it is hidden by one of them."""
        for entry in _read_entries(headers):
            written = read_address(entry)
            if not written:
                return address, True
            address = written
            if address not in self._trusted:
                break
        return address, False

    def hides_caller(self, client: tuple[str, int] | None, headers: Headers) -> bool:
        """Whether a trusted proxy says that somebody calls, but not who, such as `unknown`."""
        address, is_trusted, _ = self._find_peer(client)
        return is_trusted and self._follow(address, headers)[1]

    def find_unheeded(self, client: tuple[str, int] | None, headers: Headers) -> str:
        """The address that sent such a header without being trusted; "" for none."""
        address, is_trusted, _ = self._find_peer(client)
        if is_trusted or next(_read_entries(headers), None) is None:
            return ""
        return address

    def _find_peer(self, client: tuple[str, int] | None) -> _Peer:
        peer = client[0] if client else ""
        found = self._peers.get(peer)
        if found is None:
            parsed = _parse(peer)
            address = "" if parsed is None else str(parsed)
            is_trusted = address in self._trusted
            # Public addresses are strangers: their headers do not mean a proxy of ours.
            is_near = parsed is not None and not parsed.is_global and not is_trusted
            found = address, is_trusted, is_near
            if len(self._peers) < MAX_KNOWN:
                self._peers[peer] = found
        return found


def _parse(text: str) -> Address | None:
    found = _WRITTEN.fullmatch(text.strip()) if len(text) <= MAX_WRITTEN else None
    if found is None:
        return None
    written = found[1] or found[2] or found[3] or ""
    try:
        parsed = ipaddress.ip_address(written.partition("%")[0])
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return mapped or parsed


def _unmap(network: Network) -> Network:
    """The IPv4 network of a mapped one, because addresses are compared unmapped."""
    if isinstance(network, ipaddress.IPv4Network) or not network.subnet_of(_MAPPED):
        return network
    base = network.network_address.ipv4_mapped
    return ipaddress.ip_network(f"{base}/{network.prefixlen - 96}")


def _read_entries(headers: Headers) -> Iterator[str]:
    """The entries that proxies wrote about their callers, the nearest first."""
    lines: dict[bytes, list[bytes]] = {FORWARDED_FOR: [], FORWARDED: []}
    for name, value in headers:
        if name in lines:
            lines[name].append(value)
    kind = FORWARDED_FOR if lines[FORWARDED_FOR] else FORWARDED
    entries = b",".join(lines[kind]).decode("latin-1").rsplit(",", MAX_HOPS)
    for entry in reversed(entries[-MAX_HOPS:]):
        if not entry.strip():
            continue
        if kind is FORWARDED_FOR:
            yield entry
        else:
            found = _FORWARDED_FOR_PARAMETER.search(entry)
            yield found[1] if found else ""
