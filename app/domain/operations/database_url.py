"""DATABASE_URL: checked, shown without its password, and read as PostgreSQL's own tools read it."""

import hashlib
import re
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from app.domain.access.own_address import split_url
from app.domain.errors import SettingsError

MOST_PORT = 65535
# With these, libpq verifies the server with the machine's trusted roots.
SYSTEM, VERIFY = "system", "verify-full"

_FORM = (
    "write postgresql://user:password@host:5432/name, with the password's special characters as"
    " %2F (/), %3F (?), %23 (#) and %40 (@)"
)
# Where libpq looks for a server if no host is named.
_LOCAL = ("/run/postgresql", "/var/run/postgresql", "/tmp", "localhost")  # noqa: S108 PostgreSQL's own

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:@]*)(?::([0-9]+))?")
# `password`, `sslpassword` and similar names.
_QUERY_PASSWORD = re.compile(r"([?&][^=&]*password=)[^&]*", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z_]+")

# The driver treats these as libpq does.
_KEPT = frozenset(
    {
        "application_name",
        "database",
        "dbname",
        "gsslib",
        "host",
        "krbsrvname",
        "options",
        "passfile",
        "password",
        "port",
        "service",
        "ssl_max_protocol_version",
        "ssl_min_protocol_version",
        "sslcert",
        "sslcrl",
        "sslkey",
        "sslmode",
        "sslnegotiation",
        "sslpassword",
        "sslrootcert",
        "user",
    }
)
_FILES = ("passfile", "sslcert", "sslcrl", "sslkey", "sslrootcert")
_CHOICES = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", VERIFY),
    "sslnegotiation": ("postgres", "direct"),
}
# Values that ask for what Letterbox does anyway; and what to do about other values.
_GRANTED = {
    "channel_binding": (
        ("prefer", "disable"),
        "write channel_binding=prefer, and sslmode=verify-full to be sure of the server",
    ),
    "gssencmode": (("prefer", "disable"), "write gssencmode=prefer, and use TLS"),
    "target_session_attrs": (
        ("any", "read-write", "primary"),
        "Letterbox writes: write target_session_attrs=read-write",
    ),
    "load_balance_hosts": (("disable",), "the first server that takes writes is used"),
}


def check_url(url: str) -> None:
    """Raises ValueError, which says what to write and repeats nothing secret."""
    if not url.startswith(("sqlite:///", "postgresql://", "postgres://")):
        raise ValueError("write sqlite:///path or postgresql://user:password@host/name")
    if url.startswith("sqlite"):
        if url.endswith(":memory:"):
            raise ValueError("name a file, such as sqlite:///letterbox.sqlite3")
        if "?" in url:
            raise ValueError("a SQLite file takes no parameters: remove what follows the ?")
        return
    parts = split_url(url)
    user, at, hosts = parts.netloc.partition("@")
    # An unquoted / or # in a password ends the part that holds the host.
    is_cut = not at and "@" in parts.path + parts.fragment
    found = [_HOST.fullmatch(each) for each in (hosts if at else user).split(",")]
    if is_cut or not all(each and int(each[2] or 0) <= MOST_PORT for each in found):
        raise ValueError(_FORM)


def mask_url(url: str) -> str:
    """A password may be before the host or, for drivers, in the query."""
    if "@" in url:
        scheme, _, rest = url.partition("://")
        user = rest.rpartition("@")[0].partition(":")[0]
        url = f"{scheme}://{user}:********@{rest.rpartition('@')[2]}"
    return _QUERY_PASSWORD.sub(r"\1********", url)


def prepare_url(url: str) -> str:
    """The URL as the driver takes it, without what Letterbox does anyhow.

    Raises SettingsError, which names the parameter, for what cannot be done.
    """
    parts = urlsplit(url)
    given = _read_parameters(parts.query)
    for name, value in given.items():
        _check(name, unquote(value))
    kept = {name: value for name, value in given.items() if name not in _GRANTED}
    if kept.get("sslrootcert") == SYSTEM:
        if kept.get("sslmode", VERIFY) != VERIFY:
            raise _refuse(f"sslrootcert={SYSTEM} needs sslmode={VERIFY}")
        # The driver would take it for a file name.
        kept.pop("sslrootcert")
    return _write(url, kept)


def split_hosts(url: str) -> list[str]:
    """One URL for each server it names, in their order. Raises SettingsError."""
    parts = urlsplit(url)
    user, at, places = parts.netloc.rpartition("@")
    given = _read_parameters(parts.query)
    named = _split(given.pop("host", ""))
    ports = _split(given.pop("port", "")) or [""]
    if ports != [""] and not places:
        named = named or list(_LOCAL)
    hosts = named or places.split(",")
    if len(ports) not in {1, len(hosts)}:
        raise _refuse(f"it names {len(hosts)} hosts and {len(ports)} ports")
    ports = ports if len(ports) > 1 else ports * len(hosts)
    if named:
        bare = f"{parts.scheme}://{user}{at}{parts.path}"
        found = [
            {"host": f"[{host}]" if "::" in host and host[0] != "[" else host, "port": port}
            for host, port in zip(hosts, ports, strict=True)
        ]
        return [
            _write(bare, {name: text for name, text in each.items() if text} | given)
            for each in found
        ]
    urls = []
    for host, port in zip(hosts, ports, strict=True):
        place = f"{_cut_port(host)}:{port}" if port else host
        urls.append(_write(f"{parts.scheme}://{user}{at}{place}{parts.path}", given))
    return urls


def wants_system_roots(url: str) -> bool:
    """Whether it has `sslrootcert=system`, which the driver would take for a file name."""
    return _read_parameters(urlsplit(url).query).get("sslrootcert") == SYSTEM


def name_place(url: str) -> str:
    """Which server it names, for people."""
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    host, port = (query.get(each, [""])[-1] for each in ("host", "port"))
    place = unquote(parts.netloc.rpartition("@")[2]) or host
    if not place:
        return "this machine, or PGHOST"
    return f"{place}:{port}" if port else place


def name_address(url: str) -> str:
    """A digest of hosts and name, which identifies the database without a secret."""
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    named = [query.get(each) for each in ("host", "port", "dbname", "database")]
    where = f"{parts.netloc.rpartition('@')[2]}{parts.path}{named}"
    return hashlib.sha256(where.encode()).hexdigest()[:16]


def _read_parameters(query: str) -> dict[str, str]:
    """The last value of each, as written; `+` is not a space, as in libpq."""
    found = {}
    for part in filter(None, query.split("&")):
        name, equals, value = part.partition("=")
        if not equals or not _NAME.fullmatch(name):
            # It may be part of a password, so it is not repeated.
            raise _refuse(_FORM)
        found[name] = value.replace("+", "%2B")
    return found


def _write(url: str, parameters: dict[str, str]) -> str:
    query = "&".join(f"{name}={value}" for name, value in parameters.items())
    return f"{url.partition('?')[0]}{query and '?'}{query}"


def _split(text: str) -> list[str]:
    return text.replace("%2C", ",").replace("%2c", ",").split(",") if text else []


def _cut_port(place: str) -> str:
    found = _HOST.fullmatch(place)
    return place if found is None else found[1]


def _check(name: str, value: str) -> None:
    granted, advice = _GRANTED.get(name, ((), ""))
    if advice and value not in granted:
        raise _refuse(f"{name} cannot be kept as it is: {advice}")
    if not advice and name not in _KEPT:
        raise _refuse(f"Letterbox does not know the parameter {name}: remove it")
    if value not in _CHOICES.get(name, (value,)):
        raise _refuse(f"{name} must be one of {', '.join(_CHOICES[name])}")
    if name == "port" and not all(_is_port(each) for each in value.split(",")):
        raise _refuse(f"port must be a number up to {MOST_PORT}")
    if name in _FILES and value not in {"", SYSTEM}:
        try:
            Path(value).open("rb").close()
        except OSError as error:
            raise _refuse(f"{name}: {value} cannot be read ({error.strerror})") from None


def _is_port(text: str) -> bool:
    return text == "" or (text.isascii() and text.isdigit() and int(text) <= MOST_PORT)


def _refuse(reason: str) -> SettingsError:
    return SettingsError(f"LETTERBOX_DATABASE_URL: {reason}")
