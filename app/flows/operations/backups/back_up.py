"""Backs up the service while it runs: its database, generated secrets and spools, as one file."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from app import __version__
from app.domain.errors import SetupError
from app.storage.data_dir import SECRETS
from app.storage.db.database import Database, PostgresDatabase
from app.storage.db.dumps import (
    check_postgres_dump,
    copy_sqlite,
    dump_postgres,
    find_sqlite_damage,
)
from app.storage.db.migrate import find_revision
from app.storage.operations import backups
from app.storage.operations.backups import DATABASES, Manifest, unpack_backup, write_backup
from app.storage.spool.copies import copy_spools

# How the names of working folders begin.
WORKING = ".working-"


@dataclass(frozen=True, slots=True)
class Place:
    """DATABASE_URL, SQLite's file (None where it is PostgreSQL), and DATA_DIR."""

    url: str
    sqlite_path: Path | None
    data_dir: Path


async def back_up(place: Place, database: Database, target: BinaryIO, *, now: datetime) -> Manifest:
    """Write a backup to `target`; a message that is acknowledged meanwhile may be in it or not.

    The spools are copied first: a message that is stored in between is in both, which does no harm.
    """
    revision = await find_revision(database)
    if revision is None:
        raise SetupError("there is nothing to back up: the database is empty")
    with working_folder(place.data_dir) as folder:
        await asyncio.to_thread(copy_spools, place.data_dir / "spool", folder / backups.SPOOL)
        _copy_secrets(place.data_dir, folder / backups.SECRETS)
        await _copy_database(place, database, folder)
        return await asyncio.to_thread(
            write_backup,
            target,
            folder,
            version=__version__,
            revision=revision,
            database="postgresql" if place.sqlite_path is None else "sqlite",
            taken_at=now,
        )


def verify(file: BinaryIO, data_dir: Path) -> Manifest:
    """Check every byte of a backup, and that its database can be read. Raises SetupError."""
    with working_folder(data_dir) as folder:
        manifest = unpack_backup(file, folder)
        check_database(manifest, folder)
        return manifest


def check_database(manifest: Manifest, folder: Path) -> None:
    """Raises SetupError where the unpacked database is missing or damaged."""
    path = folder / DATABASES[manifest.database]
    if not path.exists():
        raise SetupError("this backup has no database")
    if manifest.database == "postgresql":
        check_postgres_dump(path)
    elif damage := find_sqlite_damage(path):
        raise SetupError(f"the database in this backup is damaged ({damage})")


@contextmanager
def working_folder(data_dir: Path) -> Iterator[Path]:
    """A folder in DATA_DIR that only this user reads, removed at the end.

    There, because it needs as much room as the database, which a container's /tmp may not have.
    """
    try:
        with tempfile.TemporaryDirectory(prefix=WORKING, dir=data_dir) as name:
            yield Path(name)
    except OSError as error:
        raise SetupError(f"{error.filename or data_dir}: {error.strerror}") from None


def _copy_secrets(data_dir: Path, target: Path) -> None:
    target.mkdir(mode=0o700)
    for name in SECRETS:
        if (data_dir / name).exists():
            shutil.copyfile(data_dir / name, target / name)
            (target / name).chmod(0o600)


async def _copy_database(place: Place, database: Database, folder: Path) -> None:
    if isinstance(database, PostgresDatabase):
        url = await database.name_server()
        await asyncio.to_thread(dump_postgres, url, folder / DATABASES["postgresql"])
    elif place.sqlite_path is not None:
        await asyncio.to_thread(copy_sqlite, place.sqlite_path, folder / DATABASES["sqlite"])
