"""The only reader of the environment: every setting of Letterbox, checked when it is read."""

import difflib
import ipaddress
import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings.sources.utils import parse_env_vars

from app.domain.access.own_address import bracket, check_port, read_host, read_public_url, split_url
from app.domain.errors import SettingsError
from app.domain.numbers import is_region
from app.domain.operations.database_url import check_url, mask_url
from app.domain.rules.answering import ReplyLimits
from app.domain.rules.hours import is_zone
from app.env_file import EnvFileError, read_env_file

PREFIX = "LETTERBOX_"
ENV_FILE = Path(".env")
# What HOST begins with where it is the path of a Unix socket.
UNIX = "unix:"
A_WEEK = 604_800

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

_LENGTHS = {
    "api_key": (32, "it opens everything"),
    "inbound_auth": (8, "whoever knows it can send texts in"),
    "admin_password": (8, "it opens the pages"),
}


# Loopback and private networks.
NEARBY: tuple[Network, ...] = tuple(
    ipaddress.ip_network(each)
    for each in (
        "127.0.0.0/8",
        "::1/128",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",
        "fc00::/7",
        "fe80::/10",
    )
)


class _EnvFile(DotEnvSettingsSource):
    def _read_env_file(self, file_path: Path) -> Mapping[str, str | None]:
        return parse_env_vars(read_env_file(file_path, os.environ), ignore_empty=True)


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
    monitor_networks: Networks = NEARBY
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
    uncertain_proof_seconds: int = Field(
        600, ge=0, le=A_WEEK, description="0: only a person decides"
    )
    reconcile_seconds: int = Field(300, ge=0, le=A_WEEK, description="0: never")
    reply_within_seconds: int = Field(900, ge=1, le=86400)
    replies_per_hour: int = Field(5, ge=0, le=1000)
    replies_per_day: int = Field(20, ge=0, le=10000)
    reply_quiet_seconds: int = Field(10, ge=0, le=3600, description="0: off")
    log_format: Literal["console", "json"] = "console"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 there are none
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is given, then the environment, then `.env`."""
        assert isinstance(dotenv_settings, DotEnvSettingsSource)  # noqa: S101 for the types
        return init_settings, env_settings, _EnvFile(settings_cls, dotenv_settings.env_file)

    @field_validator("*", mode="before")
    @classmethod
    def _check_text(cls, value: object) -> object:
        try:
            return value if not isinstance(value, str) else value.encode().decode()
        except UnicodeEncodeError:
            raise ValueError("it is not UTF-8") from None

    @field_validator("log_format", "log_level", mode="before")
    @classmethod
    def _ignore_case(cls, value: object) -> object:
        return value.strip().lower() if isinstance(value, str) else value

    @field_validator("data_dir")
    @classmethod
    def _expand_home(cls, value: Path) -> Path:
        return _expand(value)

    @field_validator("host")
    @classmethod
    def _check_host(cls, value: str) -> str:
        host = value.strip()
        if host.startswith(UNIX):
            path = host.removeprefix(UNIX)
            if not path:
                raise ValueError("write unix: and the path of the socket")
            return f"{UNIX}{_expand(Path(path))}"
        try:
            return read_host(host.removeprefix("[").removesuffix("]"))
        except ValueError:
            raise ValueError(
                "write an address such as 127.0.0.1 or ::1, a name, or unix:PATH; the port goes"
                " into LETTERBOX_PORT"
            ) from None

    @field_validator("forwarders", "trusted_proxies", "monitor_networks", mode="before")
    @classmethod
    def _read_networks(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        if value.strip().lower() == "all":
            return EVERYWHERE
        return tuple(_read_network(part.strip()) for part in value.split(",") if part.strip())

    @field_validator("forwarders")
    @classmethod
    def _check_forwarders(cls, value: tuple[Network, ...]) -> tuple[Network, ...]:
        if not value:
            raise ValueError("name at least one network, or write all")
        return value

    @field_validator("database_url")
    @classmethod
    def _check_database_url(cls, value: str) -> str:
        if value:
            check_url(value)
        if value.startswith("sqlite"):
            _expand(Path(value.removeprefix("sqlite:///")))
        return value

    @field_validator("public_url")
    @classmethod
    def _check_public_url(cls, value: str) -> str:
        return read_public_url(value) if value else value

    @field_validator("provider_url")
    @classmethod
    def _check_provider_url(cls, value: str) -> str:
        parts = split_url(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
            raise ValueError("write it like https://provider.example.com/api")
        read_host(parts.hostname)
        check_port(value)
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

    @field_validator("api_key", "inbound_auth", "admin_password")
    @classmethod
    def _check_length(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        least, reason = _LENGTHS[info.field_name or ""]
        if value is not None and len(value.get_secret_value()) < least:
            raise ValueError(f"needs at least {least} characters, because {reason}")
        return value

    @field_validator("api_key")
    @classmethod
    def _check_key(cls, value: SecretStr | None) -> SecretStr | None:
        key = value.get_secret_value() if value is not None else ""
        # It travels in a header: what else it held, clients would encode differently or cut off.
        if not key.isascii() or not key.isprintable() or " " in key:
            raise ValueError("use letters, digits and signs of ASCII, without spaces")
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
        return _expand(Path(path)) if path else self.data_dir / "letterbox.sqlite3"

    @property
    def root_path(self) -> str:
        """The path of PUBLIC_URL, quoted, which every link on a page begins with; "" for none."""
        return urlsplit(self.public_url).path

    @property
    def base_url(self) -> str:
        """PUBLIC_URL, or the address that the service listens on."""
        if self.public_url:
            return self.public_url
        if self.host.startswith(UNIX):
            return "http://localhost"
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 compared
        return f"http://{bracket(host)}:{self.port}"

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
    except UnicodeDecodeError as error:
        raise SettingsError(f"{ENV_FILE.resolve()}: not UTF-8 at byte {error.start}") from None
    except EnvFileError as error:
        raise SettingsError(f"{ENV_FILE.resolve()}: {error}") from None
    except OSError as error:
        raise SettingsError(f"{ENV_FILE.resolve()} cannot be read ({error})") from None


def find_unknown_variables() -> list[tuple[str, str]]:
    """Set LETTERBOX_ variables that mean nothing, each with the nearest known name or ""."""
    known = [PREFIX + name.upper() for name in Settings.model_fields]
    found = {name.upper() for name in (*os.environ, *read_env_file(ENV_FILE, {}))}
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
    if problem["type"] != "value_error":
        text = _describe_right(Settings.model_fields[name])
    is_secret = name in SECRETIVE or "@" in str(problem["input"])
    shown = "" if is_secret else f" (it is {problem['input']!r})"
    return f"{PREFIX}{name.upper()}: {text}{shown}"


def _describe_right(field: FieldInfo) -> str:
    """What to write, from the field's type and bounds: the library's own words are for programs."""
    if field.annotation is bool:
        return "write true or false"
    choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    if choices:
        return f"write {', '.join(choices[:-1])} or {choices[-1]}"
    bounds = {
        word: f"{getattr(each, name):g}"
        for each in field.metadata
        for name, word in (("gt", "above"), ("ge", "from"), ("le", "up to"))
        if hasattr(each, name)
    }
    is_number = field.annotation in {float, Decimal}
    kind = "a number" if is_number else "a whole number" if bounds else "plain text in UTF-8"
    return f"write {kind}{''.join(f' {word} {bound}' for word, bound in bounds.items())}"


def _expand(path: Path) -> Path:
    """`~` is the home folder. Raises ValueError."""
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError(f"no user is called {path.parts[0]}") from None


def _read_network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"{text!r} is not a network: write it like 192.0.2.0/24") from None


def _show(name: str, value: object) -> str:
    if isinstance(value, SecretStr):
        return "********"
    if name == "database_url":
        return mask_url(str(value))
    if isinstance(value, tuple):
        return "all" if value == EVERYWHERE else ",".join(str(network) for network in value)
    if isinstance(value, float):
        return f"{value:g}"
    return "" if value is None else str(value)
