"""The URL of a webhook: what is refused before anything is called."""

import ipaddress
import re
from collections.abc import Sequence
from urllib.parse import quote, urlsplit

from app.domain.access.own_address import bracket, check_port, read_host, split_url
from app.domain.errors import InvalidInput
from app.domain.webhooks.networks import Network, may_call

LONGEST_URL = 2000
EXAMPLE = "https://example.com/texts"
# Hosts that resolvers read as IPv4 addresses though they are written in another way: 2130706433,
# 0177.0.0.1, 0x7f.1, 127.1.
_NUMERIC = re.compile(r"(0x[0-9a-f]*|\d+)(\.(0x[0-9a-f]*|\d+))*\.?", re.IGNORECASE)
# What may stand in a path and a query as it is.
_SAFE = "/:@!$&'()*+,;=%~-._?"


def read_webhook_url(text: str, allowed: Sequence[Network]) -> str:
    """The URL as it is called, without what names are resolved to. Raises InvalidInput."""
    url = text.strip()
    if len(url) > LONGEST_URL:
        raise _refuse(f"write at most {LONGEST_URL} characters")
    try:
        return _read(url, allowed)
    except ValueError as error:
        raise _refuse(str(error)) from None


def _read(url: str, allowed: Sequence[Network]) -> str:
    if any(each.isspace() or not each.isprintable() for each in url):
        raise ValueError(f"write it without spaces, like {EXAMPLE}")
    parts = split_url(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"write it like {EXAMPLE}")
    if "@" in parts.netloc:
        raise ValueError("leave out the user name and password: deliveries are signed instead")
    if "\\" in url or "#" in url:
        raise ValueError(f"write it without a backslash and without #, like {EXAMPLE}")
    host, port = _read_host(parts.hostname), check_port(url)
    _check_address(host, allowed, scheme=parts.scheme)
    place = "" if port is None else f":{port}"
    path = quote(parts.path or "/", safe=_SAFE.replace("?", ""))
    query = f"?{quote(parts.query, safe=_SAFE)}" if parts.query else ""
    return f"{parts.scheme}://{bracket(host)}{place}{path}{query}"


def _read_host(name: str) -> str:
    if "%" in name:
        raise ValueError("leave out the zone of the address")
    host = read_host(name).lower().rstrip(".")
    if not host:
        raise ValueError(f"write it like {EXAMPLE}")
    if _NUMERIC.fullmatch(host) and not _is_plain(host):
        raise ValueError("write the address as four numbers, such as 192.0.2.1")
    return host


def _is_plain(host: str) -> bool:
    try:
        return str(ipaddress.IPv4Address(host)) == host
    except ValueError:
        return False


def _check_address(host: str, allowed: Sequence[Network], *, scheme: str) -> None:
    if scheme == "http" and not allowed:
        raise ValueError("it must begin with https://")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return  # a name, which is resolved and checked with each connection
    if not may_call(address, allowed, is_secure=scheme == "https"):
        raise ValueError(describe_refusal(is_secure=scheme == "https"))


def describe_refusal(*, is_secure: bool) -> str:
    """Why an address is not called."""
    if is_secure:
        return (
            "this is not a public address, and LETTERBOX_WEBHOOK_NETWORKS does not allow its"
            " network"
        )
    return "http is only for networks that LETTERBOX_WEBHOOK_NETWORKS allows: write https"


def name_host(url: str) -> str:
    """The host of a URL, for people."""
    return urlsplit(url).netloc


def _refuse(text: str) -> InvalidInput:
    return InvalidInput(text, field="url")
