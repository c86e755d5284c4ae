"""Upgrades the schema to this release; the migrations are its only source.

Alembic is imported only if there is something to do: its import takes a tenth of a command's start.
"""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DatabaseError, DBAPIError

from app import __version__
from app.domain.errors import SetupError
from app.storage.db.database import Database, describe
from app.storage.db.moving import is_moving
from app.storage.db.postgres.privileges import DENIED, GRANTS, find_missing
from app.storage.db.sqlite.database import SqliteDatabase
from app.storage.db.sqlite.engine import is_passing, make_private
from app.storage.db.sqlite.file import find_damage
from app.storage.db.sqlite.refusals import explain
from app.storage.durable import sync_folder

MIGRATIONS = Path(__file__).parents[3] / "migrations"
MIGRATION_LOCK = 0x4C455454_4D494752


async def migrate(database: Database) -> str | None:
    """Upgrade to the newest revision; returns it, or None if there was nothing to do.

    On SQLite a copy of the file is kept first; on PostgreSQL one process migrates and the others
    wait for it. Raises SetupError if the schema is newer than this release.
    """
    if not isinstance(database, SqliteDatabase):
        return await _migrate_server(database)
    if damage := await asyncio.to_thread(find_damage, database.path):
        raise SetupError(f"LETTERBOX_DATABASE_URL: the SQLite file {database.path} {damage}")
    current, head = await _look(database)
    if current not in (head, None):
        await asyncio.to_thread(_back_up, database.path, current)
    revision = None if current == head else await database.write_at_length(_upgrade)
    database.health.revision = head
    return revision


async def _migrate_server(database: Database) -> str | None:
    """Also raises SetupError where the account may not do what the service needs."""
    try:
        if missing := await database.read(find_missing):
            raise SetupError(missing)
        current, head = await _look(database)
        return None if current == head else await database.write_at_length(_upgrade)
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != DENIED:
            raise
        raise SetupError(
            f"LETTERBOX_DATABASE_URL: the schema is not this release's, and this account may not"
            f" change it ({describe(error.orig)}): run `letterbox migrate` as the owner of the"
            f" tables, who also grants what the service needs ({GRANTS})"
        ) from None


async def is_current(database: Database) -> bool:
    """Whether the schema is this release's. Raises SetupError if it is newer."""
    current, head = await _look(database)
    return current == head


async def find_revision(database: Database) -> str | None:
    """The schema's revision; None in an empty database. Raises SetupError if it is newer."""
    return (await _look(database))[0]


def list_tables(conn: Connection) -> list[str]:
    """Every table that is there, ours or not."""
    return inspect(conn).get_table_names()


async def _look(database: Database) -> tuple[str | None, str]:
    """Raises SetupError for a SQLite file that waiting will not make usable."""
    try:
        return await database.read(_read_revisions)
    except DatabaseError as error:
        if not isinstance(database, SqliteDatabase) or is_passing(error):
            raise
        raise SetupError(f"LETTERBOX_DATABASE_URL: {explain(error, database.path)}") from None


def list_revisions() -> list[str]:
    """All revisions of this release in order, from the names of their files."""
    found = (MIGRATIONS / "versions").glob("[0-9]*_*.py")
    return sorted(each.name.partition("_")[0] for each in found)


def _read_revisions(conn: Connection) -> tuple[str | None, str]:
    if is_moving(conn):
        raise SetupError(
            "a move into this database is not finished: run the same `letterbox move` again"
        )
    return read_revisions(conn)


def read_revisions(conn: Connection) -> tuple[str | None, str]:
    """The schema's revision and this release's. Raises SetupError if the schema is newer."""
    revisions = list_revisions()
    current: str | None = None
    if inspect(conn).has_table("alembic_version"):
        current = conn.scalar(text("SELECT version_num FROM alembic_version"))
    if current is not None and current not in revisions:
        raise SetupError(
            f"the database is at revision {current}, which Letterbox {__version__} does not know:"
            " start the newer release of Letterbox that made it (docs/guides/upgrading.md)"
        )
    return current, revisions[-1]


def _upgrade(conn: Connection) -> str | None:
    from alembic import command  # noqa: PLC0415 see above
    from alembic.config import Config  # noqa: PLC0415

    if conn.dialect.name == "postgresql":
        conn.execute(text("SET LOCAL lock_timeout = '60s'"))
        conn.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
    current, head = _read_revisions(conn)
    if current == head:
        return None
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = conn
    command.upgrade(config, "head")
    return head


def _back_up(path: Path, revision: str) -> Path:
    """A complete copy beside the file, even if others write to it meanwhile.

    It gets its name once it is complete: an interrupted start leaves no partial copy.
    """
    copy = path.with_name(f"{path.name}.before-migration-from-{revision}")
    unfinished = copy.with_name(f"{copy.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    make_private(unfinished)
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(unfinished)) as target:
        source.backup(target)
    unfinished.replace(copy)
    sync_folder(copy.parent)
    return copy
