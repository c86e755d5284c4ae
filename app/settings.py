"""The only reader of the environment: every setting of Letterbox, checked when it is read."""

import difflib
import ipaddress
import os
import re
from collections.abc import Iterable, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.domain.answering import ReplyLimits
from app.domain.errors import SettingsError
from app.domain.hours import is_zone
from app.domain.numbers import is_region

PREFIX = "LETTERBOX_"
ENV_FILE = Path(".env")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Networks = Annotated[tuple[Network, ...], NoDecode]

EVERYWHERE: tuple[Network, ...] = (
    ipaddress.ip_network("0.0.0.0/0"),
    ipaddress.ip_network("::/0"),
)


# What a mistake in these may repeat to nobody.
SECRETIVE = frozenset(
    {
        "admin_password",
        "api_key",
        "database_url",
        "inbound_auth",
        "provider_token",
        "provider_url",
    }
)

# A `/` in a password ends the place where a host is looked for, and a half of it is no port.
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:]*)(:[0-9]+)?")


# `password`, `sslpassword` and whatever else a driver calls one.
_QUERY_PASSWORD = re.compile(r"([?&][^=&]*password=)[^&]*", re.IGNORECASE)


class Settings(BaseSettings):
    """Every effective value, immutable. Names and meanings: docs/configuration.md."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=ENV_FILE,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
    )

    database_url: str = Field("", description="SQLite file in DATA_DIR when empty")
    data_dir: Path = Field(Path("./data"), description="SQLite file, spool, generated secrets")
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    public_url: str = Field("", description="what the service calls itself")
    processes: int = Field(1, ge=1, le=64)
    inbound_auth: SecretStr | None = None
    forwarders: Networks = EVERYWHERE
    trusted_proxies: Networks = ()
    api_key: SecretStr | None = None
    admin_password: SecretStr | None = None
    provider_url: str = "https://my.fastsms.co.uk/api"
    provider_token: SecretStr | None = None
    provider_timezone: str = "Europe/London"
    default_region: str = "GB"
    run_workers: bool = True
    send_per_second: float = Field(10, gt=0, le=10_000)
    send_concurrency: int = Field(8, ge=1, le=256)
    send_batch: int = Field(100, ge=1, le=1000, description="numbers of one request in a call")
    low_credits: Decimal = Field(Decimal(50), ge=0)
    uncertain_proof_seconds: int = Field(600, ge=0, description="0: only a person decides")
    reconcile_seconds: int = Field(300, ge=0, description="0: never")
    reply_within_seconds: int = Field(900, ge=1, le=86400)
    replies_per_hour: int = Field(5, ge=0, le=1000)
    replies_per_day: int = Field(20, ge=0, le=10000)
    reply_quiet_seconds: int = Field(10, ge=0, le=3600, description="0: off")
    log_format: Literal["console", "json"] = "console"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("forwarders", "trusted_proxies", mode="before")
    @classmethod
    def _read_networks(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        if value.strip().lower() == "all":
            return EVERYWHERE
        return tuple(
            ipaddress.ip_network(part.strip(), strict=False)
            for part in value.split(",")
            if part.strip()
        )

    @field_validator("database_url")
    @classmethod
    def _check_database_url(cls, value: str) -> str:
        if value and not value.startswith(("sqlite:///", "postgresql://", "postgres://")):
            raise ValueError("write sqlite:///path or postgresql://user:password@host/name")
        hosts = urlsplit(value).netloc.rpartition("@")[2].split(",")
        if not all(_HOST.fullmatch(host) for host in hosts):
            raise ValueError(
                "write postgresql://user:password@host:5432/name, with the password's special"
                " characters as %2F (/), %3F (?), %23 (#) and %40 (@)"
            )
        return value

    @field_validator("public_url")
    @classmethod
    def _check_public_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in {"http", "https"} or not parts.netloc):
            raise ValueError("write it like https://texts.example.com")
        return value.rstrip("/")

    @field_validator("provider_url")
    @classmethod
    def _check_provider_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
            raise ValueError("write it like https://provider.example.com/api")
        return value

    @field_validator("provider_token")
    @classmethod
    def _check_provider_token(cls, value: SecretStr | None) -> SecretStr | None:
        token = value.get_secret_value() if value is not None else "none"
        if not token.isascii() or not token.isprintable() or " " in token:
            raise ValueError("is mistyped: copy it from NetMessenger's settings")
        return value

    @field_validator("provider_timezone")
    @classmethod
    def _check_timezone(cls, value: str) -> str:
        if not is_zone(value):
            near = difflib.get_close_matches(value, available_timezones(), 1)
            raise ValueError(f"no such time zone{f'; did you mean {near[0]}?' if near else ''}")
        return value

    @field_validator("default_region")
    @classmethod
    def _check_region(cls, value: str) -> str:
        region = value.strip().upper()
        # Skip the check for the default: the tables take a tenth of a second to load.
        if region != "GB" and not is_region(region):
            raise ValueError("write the two letters of a country (ISO 3166), such as GB or IE")
        return region

    @field_validator("api_key")
    @classmethod
    def _check_api_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < 32:
            raise ValueError("needs at least 32 characters, for it opens everything")
        return value

    @field_validator("inbound_auth")
    @classmethod
    def _check_inbound_auth(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < 8:
            raise ValueError("needs at least 8 characters, for whoever knows it can send texts in")
        return value

    @field_validator("admin_password")
    @classmethod
    def _check_admin_password(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < 8:
            raise ValueError("needs at least 8 characters, for it opens the pages")
        return value

    @model_validator(mode="after")
    def _check_processes(self) -> "Settings":
        if self.processes > 1 and not self.is_postgres:
            raise ValueError("PROCESSES: more than one needs PostgreSQL; set DATABASE_URL or use 1")
        return self

    @property
    def is_postgres(self) -> bool:
        return self.database_url.startswith("postgres")

    @property
    def sqlite_path(self) -> Path:
        """The SQLite file; only where `is_postgres` is false."""
        path = self.database_url.removeprefix("sqlite:///")
        return Path(path) if path else self.data_dir / "letterbox.sqlite3"

    @property
    def base_url(self) -> str:
        """PUBLIC_URL, or the address that the service listens on."""
        if self.public_url:
            return self.public_url
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host, self.host)  # noqa: S104 compared
        return f"http://{host}:{self.port}"

    @property
    def reply_limits(self) -> ReplyLimits:
        return ReplyLimits(
            timedelta(seconds=self.reply_within_seconds),
            self.replies_per_hour,
            self.replies_per_day,
            timedelta(seconds=self.reply_quiet_seconds),
        )

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.provider_timezone)

    def describe(self) -> Iterator[tuple[str, str]]:
        """Every effective value under its variable's name, secrets masked."""
        for name in type(self).model_fields:
            yield PREFIX + name.upper(), _show(name, getattr(self, name))


def load_settings(**overrides: Any) -> Settings:
    """The settings of this process. Raises SettingsError: one line that names the variable."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise SettingsError(_describe_first(error)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{ENV_FILE.resolve()} cannot be read ({error})") from None


def find_unknown_variables() -> list[tuple[str, str]]:
    """Set LETTERBOX_ variables that mean nothing, each with the nearest known name or ""."""
    known = [PREFIX + name.upper() for name in Settings.model_fields]
    found = {name.upper() for name in (*os.environ, *dotenv_values(ENV_FILE))}
    unknown = sorted(name for name in found if name.startswith(PREFIX) and name not in known)
    return [(name, _first(difflib.get_close_matches(name, known, 1))) for name in unknown]


def _first(names: Iterable[str]) -> str:
    return next(iter(names), "")


def _describe_first(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_context=False)[0]
    text = problem["msg"].removeprefix("Value error, ")
    if not problem["loc"]:
        return PREFIX + text
    name = str(problem["loc"][0])
    if name in SECRETIVE:
        return f"{PREFIX}{name.upper()}: {text}"
    return f"{PREFIX}{name.upper()}: {text} (it is {problem['input']!r})"


def _mask_url(url: str) -> str:
    """A password may stand before the host or, as drivers take it too, in the query."""
    if "@" in url:
        scheme, _, rest = url.partition("://")
        user = rest.rpartition("@")[0].partition(":")[0]
        url = f"{scheme}://{user}:********@{rest.rpartition('@')[2]}"
    return _QUERY_PASSWORD.sub(r"\1********", url)


def _show(name: str, value: object) -> str:
    if isinstance(value, SecretStr):
        return "********"
    if name == "database_url":
        return _mask_url(str(value))
    if isinstance(value, tuple):
        return "all" if value == EVERYWHERE else ",".join(str(network) for network in value)
    if isinstance(value, float):
        return f"{value:g}"
    return "" if value is None else str(value)
