"""How commands use the database beside a running service: in short transactions."""

import asyncio
import getpass
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from app.domain.errors import SetupError
from app.flows.operations.erasures.load_key import read_key
from app.settings import Settings, load_settings
from app.storage.data_dir import DataDir, find_file
from app.storage.db.database import Database, open_database
from app.storage.db.migrate import is_current
from app.storage.db.postgres.servers import FILE as SERVERS

T = TypeVar("T")

BUSY_SECONDS = 5.0


def find_actor() -> str:
    """Who runs the command, for the audit trail."""
    try:
        return f"cli:{getpass.getuser()}"
    except (OSError, KeyError):  # a container's user may have no name
        return "cli"


@asynccontextmanager
async def opening_database(settings: Settings) -> AsyncIterator[Database]:
    """The database that the settings name, for as long as the block lasts.

    Raises SetupError where there is none yet or its schema is not this release's.
    """
    if not settings.is_postgres and not find_file(settings.sqlite_path):
        setting = "LETTERBOX_DATABASE_URL" if settings.database_url else "LETTERBOX_DATA_DIR"
        raise SetupError(
            f"there is no database at {settings.sqlite_path} yet: run `letterbox serve` first,"
            f" or set {setting} to where it runs"
        )
    database = open_database(
        settings.database_url,
        settings.sqlite_path,
        busy_timeout_seconds=BUSY_SECONDS,
        servers=settings.data_dir / SERVERS,
    )
    try:
        if not await is_current(database):
            raise SetupError("the schema is older than this release: run `letterbox migrate`")
        api_key = settings.api_key.get_secret_value() if settings.api_key else None
        await read_key(database, DataDir(settings.data_dir), api_key)
        yield database
    finally:
        await database.close()


def run_on_database(work: Callable[[Database, Settings], Awaitable[T]]) -> T:
    """Open the database, run `work` over it, and close it again. Raises SetupError as above."""
    settings = load_settings()

    async def run() -> T:
        async with opening_database(settings) as database:
            return await work(database, settings)

    return asyncio.run(run())
