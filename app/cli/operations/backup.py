"""`letterbox backup`, `restore` and `verify`: a whole service as one file."""

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from app.cli.core.offline import BUSY_SECONDS, find_actor
from app.domain.errors import SetupError
from app.flows.operations.backups import back_up
from app.flows.operations.backups import restore as flow
from app.flows.operations.backups.back_up import Place
from app.settings import Settings, load_settings
from app.storage.data_dir import DataDir, find_file
from app.storage.db.database import open_database
from app.storage.db.postgres.servers import FILE as SERVERS
from app.storage.operations.backups import SECRETS, Manifest

TargetFile = Annotated[
    Path, typer.Argument(help="The file to write, which must be new; - is stdout.")
]
SourceFile = Annotated[Path, typer.Argument(help="A file that `letterbox backup` wrote.")]


def backup(file: TargetFile) -> None:
    """Back up the database, the generated secrets and the spool, also while the service runs."""
    settings = load_settings()
    place = _find_place(settings)
    if place.sqlite_path is not None and not find_file(place.sqlite_path):
        raise SetupError(f"there is no database at {place.sqlite_path}: nothing was backed up")
    with _open_target(file) as target:
        manifest = asyncio.run(_back_up(settings, place, target))
    typer.echo(f"Backed up {_describe(manifest)}.", err=True)
    typer.echo("Settings (.env, environment variables) are not in it: keep them too.", err=True)


def restore(file: SourceFile) -> None:
    """Restore a backup into an empty LETTERBOX_DATA_DIR and database, with sending paused."""
    place = _find_place(load_settings())
    with _open_source(file) as source:
        manifest = asyncio.run(flow.restore(place, source, who=find_actor(), now=datetime.now(UTC)))
    typer.echo(f"Restored {_describe(manifest)}.", err=True)
    typer.echo(
        "Sending is paused: look through the outbox for texts that have gone out since, cancel"
        " them, and then resume sending there.",
        err=True,
    )


def verify(file: SourceFile) -> None:
    """Check that a backup is whole and that its database can be read."""
    data_dir = DataDir.open(load_settings().data_dir).path
    with _open_source(file) as source:
        manifest = back_up.verify(source, data_dir)
    typer.echo(f"Sound: {_describe(manifest)}.")


async def _back_up(settings: Settings, place: Place, target: BinaryIO) -> Manifest:
    database = open_database(
        settings.database_url,
        place.sqlite_path or Path(),
        busy_timeout_seconds=BUSY_SECONDS,
        servers=settings.data_dir / SERVERS,
    )
    try:
        return await back_up.back_up(place, database, target, now=datetime.now(UTC))
    finally:
        await database.close()


def _find_place(settings: Settings) -> Place:
    path = None if settings.is_postgres else settings.sqlite_path
    return Place(settings.database_url, path, settings.data_dir)


@contextmanager
def _open_target(path: Path) -> Iterator[BinaryIO]:
    """It gets its name once it is whole and durable."""
    if str(path) == "-":
        yield sys.stdout.buffer
        return
    if path.exists():
        raise SetupError(f"{path} is there already: name a new file")
    unfinished = path.with_name(f"{path.name}.unfinished")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
    except OSError as error:
        raise SetupError(f"{path} cannot be written ({error.strerror})") from None
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def _open_source(path: Path) -> Iterator[BinaryIO]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise SetupError(f"{path} cannot be read ({error.strerror})") from None
    with file:
        yield file


def _describe(manifest: Manifest) -> str:
    kind = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[manifest.database]
    secrets = [name for name in manifest.files if name.startswith(f"{SECRETS}/")]
    spools = [name for name in manifest.files if name.endswith(".sqlite3") and "/" in name]
    megabytes = sum(each.bytes for each in manifest.files.values()) / 1024**2
    return (
        f"the {kind} database of {manifest.taken_at:%Y-%m-%d %H:%M} UTC (Letterbox"
        f" {manifest.version}, schema {manifest.revision}, {megabytes:.1f} MB),"
        f" {len(secrets)} secrets and {len(spools)} spools"
    )
