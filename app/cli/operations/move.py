"""`letterbox move`: everything to another database."""

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from app.domain.errors import SetupError
from app.domain.operations.database_url import check_url, mask_url
from app.flows.operations.backups.move import STAGES, Moved, count_all
from app.flows.operations.backups.move import move as run
from app.settings import Settings, load_settings
from app.storage.data_dir import DataDir, find_file
from app.storage.db.database import Database, open_database
from app.storage.spool.identity import find_place

SQLITE_HEAD = b"SQLite format 3\0"

TargetUrl = Annotated[
    str, typer.Option("--to", help="The empty database to move to, as DATABASE_URL names it.")
]


def move(to: TargetUrl) -> None:
    """Move everything from LETTERBOX_DATABASE_URL to another database, while nothing runs."""
    settings = load_settings()
    target = _read_target(settings, to)
    if not settings.is_postgres and not find_file(settings.sqlite_path):
        raise SetupError(f"there is no database at {settings.sqlite_path} to move")
    held = _hold(settings, target)
    try:
        moved = asyncio.run(_move(settings, target))
    finally:
        for descriptor in held:
            os.close(descriptor)
    rows = sum(moved.rows.values())
    typer.echo(
        f"Moved and compared {rows:,} rows in {len(moved.rows)} tables. Now set"
        f" LETTERBOX_DATABASE_URL={mask_url(to)} and start the service; the old database is"
        " unchanged.",
        err=True,
    )


def _read_target(settings: Settings, to: str) -> Settings:
    try:
        check_url(to)
    except ValueError as error:
        raise SetupError(f"--to: {error}") from None
    target = settings.model_copy(update={"database_url": to})
    if _name(target) == _name(settings):
        raise SetupError("--to names the database that LETTERBOX_DATABASE_URL names already")
    if not target.is_postgres:
        _check_file(target.sqlite_path)
    return target


def _check_file(path: Path) -> None:
    """Raises SetupError where no SQLite file is or can be made."""
    if not path.parent.is_dir():
        raise SetupError(f"--to: there is no folder {path.parent}")
    if path.exists() and (not path.is_file() or not _is_sqlite(path)):
        raise SetupError(f"--to: {path} is no SQLite file: name a new one")


def _is_sqlite(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(SQLITE_HEAD)) in (b"", SQLITE_HEAD)


def _name(settings: Settings) -> str:
    path = settings.data_dir if settings.is_postgres else settings.sqlite_path
    return find_place(settings.database_url, path)


def _hold(*both: Settings) -> list[int]:
    """Lock SQLite files against a service. Raises SetupError where one runs."""
    files = [each for each in both if not each.is_postgres]
    if not files:
        return []
    folder = DataDir.open(files[0].data_dir)
    held = folder.hold_alone(files[0].sqlite_path)
    return held + [each for file in files[1:] for each in folder.hold_file(file.sqlite_path)]


async def _move(settings: Settings, target: Settings) -> Moved:
    # Only an owner makes checkpoints, without which the journal takes all that is written.
    source, new = _open(settings), _open(target, is_owner=True)
    try:
        with Progress(console=Console(stderr=True), transient=True) as progress:
            total = await count_all(source)
            bars = {name: progress.add_task(name, total=total) for name in STAGES}
            return await run(
                source,
                new,
                _name(settings),
                lambda name, count: progress.advance(bars[name], count),
                datetime.now(UTC),
            )
    finally:
        await source.close()
        await new.close()


def _open(settings: Settings, *, is_owner: bool = False) -> Database:
    path = settings.data_dir if settings.is_postgres else settings.sqlite_path
    return open_database(settings.database_url, path, is_owner=is_owner)
