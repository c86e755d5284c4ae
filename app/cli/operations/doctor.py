"""`letterbox doctor`: every effective value, and whether what the service needs is there."""

import asyncio
import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import typer

from app.account import open_provider
from app.cli.core.output import JsonOption
from app.domain.access.addresses import NetworkSet
from app.domain.access.own_address import is_loopback
from app.domain.errors import LetterboxError, describe_cause
from app.domain.provider_errors import ProviderError
from app.settings import Settings, find_unknown_variables, load_settings
from app.storage.data_dir import DataDir, find_file
from app.storage.db.database import Database, open_database
from app.storage.operations.inspect import inspect_database, list_unheeded_proxies
from app.storage.spool.adoption import count_waiting
from app.storage.spool.quarantine import count_kept

LOW_DISK_BYTES = 1024**3
MAX_SILENCE_SECONDS = 60
PROVIDER_SECONDS = 10
UNHEEDED = timedelta(days=7)
MAX_PROXIES = 5
SETTING = "LETTERBOX_DATABASE_URL"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: `text` says what was found and, unless it is ok, what to do."""

    state: Literal["ok", "warn", "fail"]
    text: str


def doctor(
    *,
    as_json: JsonOption = False,
    worker: Annotated[bool, typer.Option(help="Check only that a worker runs here.")] = False,
) -> None:
    settings = load_settings()
    findings = [check_worker(settings)] if worker else check_all(settings)
    if as_json:
        shown = [asdict(finding) for finding in findings]
        typer.echo(json.dumps({"settings": dict(settings.describe()), "findings": shown}))
    else:
        for name, value in () if worker else settings.describe():
            typer.echo(f"{name}={value}")
        for finding in findings:
            typer.echo(f"{finding.state:4}  {finding.text}")
    if any(finding.state == "fail" for finding in findings):
        raise typer.Exit(1)


def check_worker(settings: Settings) -> Finding:
    """Whether `letterbox work` runs on this machine; for a container's health check."""
    heartbeat = DataDir(settings.data_dir).heartbeat
    try:
        silence = time.time() - heartbeat.stat().st_mtime
    except FileNotFoundError:
        return Finding("fail", "no worker runs here: start `letterbox work`")
    except OSError as error:
        return Finding("fail", f"LETTERBOX_DATA_DIR: {heartbeat}: {error.strerror}")
    if silence > MAX_SILENCE_SECONDS:
        return Finding("fail", f"the worker has not moved for {silence:.0f} s: restart it")
    return Finding("ok", "the worker is at work")


def check_all(settings: Settings) -> list[Finding]:
    """Everything that can be checked without starting the service."""
    findings = [*_check_variables(), *_check_public_url(settings), *_check_data_dir(settings)]
    return findings + asyncio.run(_check_connections(settings))


async def _check_connections(settings: Settings) -> list[Finding]:
    in_the_clear = _check_provider_url(settings)
    return [*await _check_database(settings), *in_the_clear, await _check_provider(settings)]


def _check_variables() -> Iterator[Finding]:
    for name, nearest in find_unknown_variables():
        hint = f"; did you mean {nearest}?" if nearest else ""
        yield Finding("warn", f"{name} is set, but Letterbox knows no such setting{hint}")


def _check_public_url(settings: Settings) -> Iterator[Finding]:
    if is_loopback(urlsplit(settings.base_url).hostname or ""):
        yield Finding(
            "warn",
            f"the provider cannot reach {settings.base_url}: set LETTERBOX_PUBLIC_URL to the"
            " address by which the internet reaches this service",
        )
        return
    yield Finding("ok", f"the provider's page gets {settings.base_url}/inbound")
    if urlsplit(settings.base_url).scheme == "http":
        yield Finding(
            "warn",
            "LETTERBOX_PUBLIC_URL: texts, keys and people's sessions travel in the clear; put a"
            " proxy with https before it",
        )


def _check_data_dir(settings: Settings) -> Iterator[Finding]:
    try:
        folder = DataDir.open(settings.data_dir)
    except LetterboxError as error:
        yield Finding("fail", str(error))
        return
    free = shutil.disk_usage(folder.path).free
    text = f"{folder.path} has {free / 1024**3:.1f} GiB free"
    yield Finding("ok", text) if free > LOW_DISK_BYTES else Finding("warn", f"{text}: make room")
    yield from _check_spool(folder.spool)


def _check_spool(root: Path) -> Iterator[Finding]:
    """What lies there for a person, or for the next `serve`; a running one tells its own depth."""
    try:
        waiting = count_waiting(root)
        refused, damaged = count_kept(root)
    except LetterboxError as error:
        yield Finding("fail", str(error))
        return
    if waiting:
        yield Finding("warn", f"{waiting} messages wait in the spool: `serve` stores them")
    if refused:
        yield Finding("warn", f"{refused} messages could not be stored: see {root}/refused")
    if damaged:
        yield Finding("warn", f"{damaged} files of the spool lost messages: see {root}/damaged")


async def _check_database(settings: Settings) -> list[Finding]:
    try:
        if not settings.is_postgres and not find_file(settings.sqlite_path):
            return [_check_place(settings.sqlite_path)]
        database = open_database(settings.database_url, settings.sqlite_path)
    except LetterboxError as error:
        return [Finding("fail", str(error))]
    try:
        found = await inspect_database(database)
        findings = [Finding("ok" if well else "fail", text) for well, text in found]
        if all(well for well, _ in found):
            findings += await _check_proxies(settings, database)
    except Exception as error:  # noqa: BLE001 whatever it is, the operator wants to read it
        line = describe_cause(error)
        named = "" if SETTING in line else f"{SETTING}: "
        findings = [Finding("fail", f"{named}{line}")]
    finally:
        await database.close()
    return findings


def _check_place(path: Path) -> Finding:
    """Whether the first start can make the file there."""
    if path.parent.is_dir():
        return Finding("ok", f"`serve` will make {path}")
    return Finding("fail", f"{SETTING}: there is no folder {path.parent}: create it")


async def _check_proxies(settings: Settings, database: Database) -> list[Finding]:
    """Whether an untrusted proxy sent the caller's address."""
    since = datetime.now(UTC) - UNHEEDED
    addresses = await database.read(list_unheeded_proxies, since=since)
    return [
        Finding(
            "warn",
            f"{address} sent X-Forwarded-For or Forwarded, which was ignored: if it is your proxy"
            " and writes that header itself, add it to LETTERBOX_TRUSTED_PROXIES (never to"
            " LETTERBOX_FORWARDERS)",
        )
        for address in addresses[:MAX_PROXIES]
        if address not in NetworkSet(settings.trusted_proxies)
    ]


def _check_provider_url(settings: Settings) -> Iterator[Finding]:
    address = urlsplit(settings.provider_url)
    if address.scheme == "http" and not is_loopback(address.hostname or ""):
        yield Finding("warn", "LETTERBOX_PROVIDER_URL: the token travels in the clear; use https")


async def _check_provider(settings: Settings) -> Finding:
    """Whether the account answers; without a token nobody is asked."""
    if settings.provider_token is None:
        return Finding("warn", "LETTERBOX_PROVIDER_TOKEN is not set: texts come in, none goes out")
    try:
        async with asyncio.timeout(PROVIDER_SECONDS), open_provider(settings) as provider:
            credit = await provider.check_credits()
    except TimeoutError:
        return Finding("fail", f"LETTERBOX_PROVIDER_URL: no answer in {PROVIDER_SECONDS} s")
    except ProviderError as error:
        return Finding("fail", str(error))
    return Finding("ok", f"the provider's account has {credit} credits")
