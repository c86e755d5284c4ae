"""The only reader of the environment: every setting of Letterbox, checked when it is read."""

import difflib
import os
from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings.sources.utils import parse_env_vars

from app.domain.access.own_address import bracket
from app.domain.errors import SettingsError
from app.domain.operations.database_url import mask_url
from app.domain.operations.notify_addresses import mask_address
from app.domain.rules.answering import ReplyLimits
from app.env_file import EnvFileError, read_env_file
from app.setting_types import (
    EVERYWHERE,
    NEARBY,
    UNIX,
    AnyCase,
    ApiKey,
    DatabaseUrl,
    Folder,
    Host,
    InboundAuth,
    Networks,
    NotifyAddresses,
    Password,
    ProviderUrl,
    PublicUrl,
    Region,
    SomeNetworks,
    Token,
    Zone,
    expand,
)

PREFIX = "LETTERBOX_"
ENV_FILE = Path(".env")
A_WEEK = 604_800

# An error does not repeat the values of these.
SECRETIVE = frozenset(
    {
        "admin_password",
        "api_key",
        "database_url",
        "inbound_auth",
        "notify",
        "provider_token",
        "provider_url",
    }
)


class _EnvFile(DotEnvSettingsSource):
    def _read_env_file(self, file_path: Path) -> Mapping[str, str | None]:
        return parse_env_vars(read_env_file(file_path, os.environ), ignore_empty=True)


class Settings(BaseSettings):
    """Every effective value, immutable. Names and meanings: docs/reference/settings.md."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=ENV_FILE,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
    )

    database_url: DatabaseUrl = Field("", description="SQLite file in DATA_DIR when empty")
    data_dir: Folder = Field(Path("./data"), description="SQLite file, spool, generated secrets")
    host: Host = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    public_url: PublicUrl = Field("", description="what the service calls itself")
    processes: int = Field(1, ge=1, le=64)
    inbound_auth: InboundAuth | None = None
    forwarders: SomeNetworks = EVERYWHERE
    trusted_proxies: Networks = ()
    monitor_networks: Networks = NEARBY
    api_key: ApiKey | None = None
    admin_password: Password | None = None
    provider_url: ProviderUrl = "https://my.fastsms.co.uk/api"
    provider_token: Token | None = None
    provider_timezone: Zone = "Europe/London"
    default_region: Region = "GB"
    run_workers: bool = True
    send_per_second: float = Field(10, gt=0, le=10_000)
    send_concurrency: int = Field(8, ge=1, le=256)
    send_batch: int = Field(100, ge=1, le=1000, description="numbers of one request in a call")
    low_credits: Decimal = Field(Decimal(50), ge=0)
    uncertain_proof_seconds: int = Field(
        600, ge=0, le=A_WEEK, description="0: only a person decides"
    )
    reconcile_seconds: int = Field(300, ge=0, le=A_WEEK, description="0: never")
    keep_days: int = Field(0, ge=0, le=36_500, description="0: never")
    reply_within_seconds: int = Field(900, ge=1, le=86400)
    replies_per_hour: int = Field(5, ge=0, le=1000)
    replies_per_day: int = Field(20, ge=0, le=10000)
    reply_quiet_seconds: int = Field(10, ge=0, le=3600, description="0: off")
    webhook_networks: Networks = ()
    notify: NotifyAddresses = ()
    log_format: Annotated[Literal["console", "json"], AnyCase] = "console"
    log_level: Annotated[Literal["debug", "info", "warning", "error"], AnyCase] = "info"

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
        return expand(Path(path)) if path else self.data_dir / "letterbox.sqlite3"

    @property
    def keep(self) -> timedelta | None:
        """KEEP_DAYS; None: for ever."""
        return timedelta(days=self.keep_days) if self.keep_days else None

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
    near = ((name, difflib.get_close_matches(name, known, 1)) for name in unknown)
    return [(name, found[0] if found else "") for name, found in near]


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


def _show(name: str, value: object) -> str:
    if isinstance(value, SecretStr):
        return "********"
    if name == "database_url":
        return mask_url(str(value))
    if name == "notify" and isinstance(value, tuple):
        return " ".join(str(mask_address(each.get_secret_value())) for each in value)
    if isinstance(value, tuple):
        return "all" if value == EVERYWHERE else ",".join(str(network) for network in value)
    if isinstance(value, float):
        return f"{value:g}"
    return "" if value is None else str(value)
