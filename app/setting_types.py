"""What settings may hold: types that check their text, with errors that say what to write."""

import difflib
import ipaddress
from collections.abc import Callable
from pathlib import Path
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_settings import NoDecode

from app.domain.access.own_address import check_port, read_host, read_public_url, split_url
from app.domain.numbers import is_region
from app.domain.operations.database_url import check_url
from app.domain.operations.notify_addresses import split_addresses
from app.domain.rules.hours import is_zone

# What HOST begins with if it is the path of a Unix socket.
UNIX = "unix:"

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

EVERYWHERE: tuple[Network, ...] = tuple(map(ipaddress.ip_network, ("0.0.0.0/0", "::/0")))
# Loopback and private networks.
NEARBY: tuple[Network, ...] = tuple(
    map(
        ipaddress.ip_network,
        (
            "127.0.0.0/8",
            "::1/128",
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "169.254.0.0/16",
            "fc00::/7",
            "fe80::/10",
        ),
    )
)


def expand(path: Path) -> Path:
    """`~` is the home folder. Raises ValueError."""
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError(f"no user is called {path.parts[0]}") from None


def _ignore_case(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


def _read_host(value: str) -> str:
    host = value.strip()
    if host.startswith(UNIX):
        path = host.removeprefix(UNIX)
        if not path:
            raise ValueError("write unix: and the path of the socket")
        return f"{UNIX}{expand(Path(path))}"
    try:
        return read_host(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        raise ValueError(
            "write an address such as 127.0.0.1 or ::1, a name, or unix:PATH; the port goes"
            " into LETTERBOX_PORT"
        ) from None


def _read_networks(value: object) -> object:
    if not isinstance(value, str):
        return value
    if value.strip().lower() == "all":
        return EVERYWHERE
    return tuple(_read_network(part.strip()) for part in value.split(",") if part.strip())


def _read_network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"{text!r} is not a network: write it like 192.0.2.0/24") from None


def _check_some(value: tuple[Network, ...]) -> tuple[Network, ...]:
    if not value:
        raise ValueError("name at least one network, or write all")
    return value


def _check_database_url(value: str) -> str:
    if value:
        check_url(value)
    if value.startswith("sqlite"):
        expand(Path(value.removeprefix("sqlite:///")))
    return value


def _check_provider_url(value: str) -> str:
    parts = split_url(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
        raise ValueError("write it like https://provider.example.com/api")
    read_host(parts.hostname)
    check_port(value)
    return value


def _read_addresses(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(SecretStr(address) for address in split_addresses(value))


def _check_zone(value: str) -> str:
    if not is_zone(value):
        near = difflib.get_close_matches(value, available_timezones(), 1)
        raise ValueError(f"no such time zone{f'; did you mean {near[0]}?' if near else ''}")
    return value


def _check_region(value: str) -> str:
    region = value.strip().upper()
    # Skip the check for the default: the tables take a tenth of a second to load.
    if region != "GB" and not is_region(region):
        raise ValueError("write the two letters of a country (ISO 3166), such as GB or IE")
    return region


def _needs(least: int, reason: str) -> Callable[[SecretStr], SecretStr]:
    def check(value: SecretStr) -> SecretStr:
        if len(value.get_secret_value()) < least:
            raise ValueError(f"needs at least {least} characters, because {reason}")
        return value

    return check


def _fits_header(mistake: str) -> Callable[[SecretStr], SecretStr]:
    """Clients would encode other characters differently, or cut them off."""

    def check(value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        if not text.isascii() or not text.isprintable() or " " in text:
            raise ValueError(mistake)
        return value

    return check


AnyCase = BeforeValidator(_ignore_case)
DatabaseUrl = Annotated[str, AfterValidator(_check_database_url)]
Folder = Annotated[Path, AfterValidator(expand)]
Host = Annotated[str, AfterValidator(_read_host)]
Networks = Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_read_networks)]
SomeNetworks = Annotated[Networks, AfterValidator(_check_some)]
ProviderUrl = Annotated[str, AfterValidator(_check_provider_url)]
PublicUrl = Annotated[str, AfterValidator(lambda text: text and read_public_url(text))]
Region = Annotated[str, AfterValidator(_check_region)]
NotifyAddresses = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_read_addresses)]
Zone = Annotated[str, AfterValidator(_check_zone)]

ApiKey = Annotated[
    SecretStr,
    AfterValidator(_needs(32, "it opens everything")),
    AfterValidator(_fits_header("use letters, digits and signs of ASCII, without spaces")),
]
InboundAuth = Annotated[SecretStr, AfterValidator(_needs(8, "whoever knows it can send texts in"))]
Password = Annotated[SecretStr, AfterValidator(_needs(8, "it opens the pages"))]
Token = Annotated[
    SecretStr, AfterValidator(_fits_header("is mistyped: copy it from NetMessenger's settings"))
]
