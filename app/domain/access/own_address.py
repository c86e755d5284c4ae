"""What the service calls itself, and which of a request's paths are below that."""

import contextlib
import ipaddress
import re
from urllib.parse import SplitResult, quote, unquote, urlsplit

import idna

EXAMPLE = "write it like https://texts.example.com"

# Pages and endpoints. As the path of PUBLIC_URL they would be ambiguous behind a proxy that may
# remove the path.
PAGES = frozenset(
    {
        "account",
        "alerts",
        "audit",
        "batches",
        "contacts",
        "docs",
        "docs.css",
        "erasures",
        "groups",
        "inbound",
        "inbox",
        "keys",
        "live",
        "livez",
        "measure",
        "members",
        "metrics",
        "new",
        "notifications",
        "numbers",
        "openapi.json",
        "opt-outs",
        "outbox",
        "overview",
        "people",
        "problems",
        "readyz",
        "refusals",
        "reports",
        "rules",
        "saved-replies",
        "scheduled",
        "sign-in",
        "sign-out",
        "webhooks",
        "unread",
    }
)
# These only begin paths, so what follows decides.
PARENTS = frozenset({"api", "conversations", "messages", "static", "texts"})

_DEFAULT_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?")
# Once quoted, all of these are valid in a cookie's path, a link and a header.
_PATH = re.compile(r"(/(?!\.{1,2}(/|$))[\w.~-]+)*")


def read_public_url(text: str) -> str:
    """A public URL as browsers write it: the host in IDNA, no port of the scheme's own.

    Raises ValueError, which says what to write.
    """
    parts = split_url(text.strip())
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or "@" in parts.netloc:
        raise ValueError(EXAMPLE)
    path = unquote(parts.path).rstrip("/")
    if parts.query or parts.fragment or not _PATH.fullmatch(path):
        raise ValueError(f"{EXAMPLE}, perhaps with a plain path behind it")
    if path[1:].lower() in PAGES:
        raise ValueError(f"Letterbox has a page {path} of its own: choose another path")
    return f"{parts.scheme}://{bracket(read_host(parts.hostname))}{_read_port(text)}{quote(path)}"


def split_url(url: str) -> SplitResult:
    """The parts of a URL. Raises ValueError for an invalid host."""
    try:
        return urlsplit(url)
    except ValueError:
        raise ValueError("its host is not valid: an IPv6 address is written like [::1]") from None


def check_port(url: str) -> int | None:
    """The port of a URL. Raises ValueError for an invalid one."""
    try:
        port = urlsplit(url).port
    except ValueError:
        port = 0
    if port == 0:
        raise ValueError("its port must be a number from 1 to 65535")
    return port


def read_host(name: str) -> str:
    """A host name in IDNA, or an address unchanged. Raises ValueError for an invalid one."""
    if _HOST.fullmatch(name.lower()):
        return name
    # idna also raises ValueErrors.
    with contextlib.suppress(ValueError):
        if ":" in name:
            ipaddress.IPv6Address(name.replace("%25", "%"))
            return name
        if not name.isascii():
            return idna.encode(name, uts46=True).decode()
    raise ValueError(f"{name!r} is not a valid host name")


def bracket(host: str) -> str:
    """A host as URLs write it."""
    return f"[{host}]" if ":" in host else host


class RootPath:
    """The path of PUBLIC_URL, which proxies remove or keep: both work."""

    def __init__(self, quoted: str) -> None:
        self._root = unquote(quoted)
        self._is_parent = self._root[1:] in PARENTS

    def cut(self, path: str) -> str:
        """A request's path without it."""
        if not self._root:
            return path
        # Some proxies leave an extra slash when they remove the path.
        path = f"/{path.lstrip('/')}"
        if path == self._root:
            return "/"
        if not path.startswith(f"{self._root}/"):
            return path
        rest = path.removeprefix(self._root)
        first = rest[1:].partition("/")[0]
        is_ours = not first or first in PAGES or first in PARENTS
        return rest if is_ours or not self._is_parent else path


def _read_port(url: str) -> str:
    port = check_port(url)
    return "" if port in {None, _DEFAULT_PORTS[urlsplit(url.strip()).scheme]} else f":{port}"


def is_loopback(host: str) -> bool:
    """Whether a host means this machine, which nobody outside can reach by it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
