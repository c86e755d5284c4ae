"""Restores a backup into an empty place; nothing is sent from there until a person says so."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from app.domain.errors import SetupError
from app.flows.operations.backups.back_up import WORKING, Place, check_database, working_folder
from app.flows.outbound.sending.pause_sending import pause_sending
from app.storage.data_dir import DataDir
from app.storage.db.database import Connection, Database, PostgresDatabase, open_database
from app.storage.db.dumps import load_postgres
from app.storage.db.migrate import list_revisions, list_tables, migrate
from app.storage.durable import sync_folder
from app.storage.operations import backups
from app.storage.operations.backups import DATABASES, Kind, Manifest, unpack_backup
from app.storage.outbound.sending.backlog import count_waiting
from app.storage.outbound.sending.sender import COUNTED_WAITING, PAUSE_SQL

_NAMES: dict[Kind, str] = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


async def restore(place: Place, file: BinaryIO, *, who: str, now: datetime) -> Manifest:
    """Restore into an empty DATA_DIR and an empty database, and pause sending.

    What waits in the backup may have gone out since it was taken, and what was answered since is
    not known any more, so a person looks first. Raises SetupError; where the database is not
    PostgreSQL's nothing is left behind then.
    """
    held = _hold_empty(place)
    try:
        with working_folder(place.data_dir) as folder:
            manifest = await asyncio.to_thread(unpack_backup, file, folder)
            _check_kind(place, manifest)
            await asyncio.to_thread(check_database, manifest, folder)
            if place.sqlite_path is None:
                await _restore_postgres(place, folder, manifest, who, now)
            else:
                await _restore_sqlite(place, place.sqlite_path, folder, manifest, who, now)
        return manifest
    finally:
        for descriptor in held:
            os.close(descriptor)


def _hold_empty(place: Place) -> list[int]:
    """Hold DATA_DIR, which must be empty, against another process."""
    folder = DataDir.open(place.data_dir)
    left = sorted(place.data_dir.glob(f"{WORKING}*"))
    there = sorted({each.name for each in place.data_dir.iterdir()} - _IGNORED)
    there = [each for each in there if not each.startswith(WORKING)]
    if there:
        raise SetupError(
            f"LETTERBOX_DATA_DIR: {place.data_dir} is not empty (there is {there[0]}): name a new"
            " folder, or move what is there away"
        )
    if place.sqlite_path is not None and place.sqlite_path.exists():
        raise SetupError(f"{place.sqlite_path} is there already: name another file")
    path = place.sqlite_path
    held = [folder.lock()] if path is None else folder.hold_alone(path)
    for each in left:
        shutil.rmtree(each)
    return held


# A mounted disk's own folder, and the locks of a restore that failed.
_IGNORED = frozenset({"lost+found", "lock", "letterbox.sqlite3.lock"})


def _check_kind(place: Place, manifest: Manifest) -> None:
    ours: Kind = "postgresql" if place.sqlite_path is None else "sqlite"
    if manifest.database != ours:
        raise SetupError(
            f"this is a backup of a {_NAMES[manifest.database]} database, and"
            f" LETTERBOX_DATABASE_URL names {_NAMES[ours]}: restore it to its own kind"
        )
    if manifest.revision not in list_revisions():
        raise SetupError(
            f"this backup was made by Letterbox {manifest.version}, which is newer: use that one"
        )


async def _restore_sqlite(
    place: Place, path: Path, folder: Path, manifest: Manifest, who: str, now: datetime
) -> None:
    """The file gets its name last, when it is this release's and paused."""
    copy = folder / DATABASES["sqlite"]
    async with _opened("", copy) as database:
        await _finish(database, manifest, who, now)
    _place_files(place.data_dir, folder)
    copy.replace(path)
    sync_folder(path.parent)


async def _restore_postgres(
    place: Place, folder: Path, manifest: Manifest, who: str, now: datetime
) -> None:
    """The dump is loaded and sending paused in one transaction."""
    async with _opened(place.url, place.data_dir) as database:
        assert isinstance(database, PostgresDatabase)  # noqa: S101 it has no SQLite file
        if await database.read(list_tables):
            raise SetupError("LETTERBOX_DATABASE_URL: the database is not empty: name an empty one")
        dump = folder / DATABASES["postgresql"]
        url = await database.name_server()
        await asyncio.to_thread(load_postgres, url, dump, PAUSE_SQL)
        await _finish(database, manifest, who, now)
    _place_files(place.data_dir, folder)


async def _finish(database: Database, manifest: Manifest, who: str, now: datetime) -> None:
    await migrate(database)
    await database.write(_pause, manifest, who, now)


@asynccontextmanager
async def _opened(url: str, path: Path) -> AsyncIterator[Database]:
    database = open_database(url, path)
    try:
        yield database
    finally:
        await database.close()


def _pause(conn: Connection, manifest: Manifest, who: str, now: datetime) -> None:
    waiting = count_waiting(conn, at_most=COUNTED_WAITING)
    waits = "1 text waits" if waiting == 1 else f"{waiting} texts wait"
    reason = (
        f"a backup of {manifest.taken_at:%Y-%m-%d %H:%M} UTC was restored; {waits} that may have"
        " gone out since: cancel those in the outbox that have, then resume"
    )
    pause_sending(conn, who, reason, now)


def _place_files(data_dir: Path, folder: Path) -> None:
    for path in sorted((folder / backups.SECRETS).glob("*")):
        shutil.move(path, data_dir / path.name)
    if (folder / backups.SPOOL).exists():
        shutil.move(folder / backups.SPOOL, data_dir / "spool")
