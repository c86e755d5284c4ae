"""The one door to the database: runs the storage functions on SQLite and on PostgreSQL."""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import asyncpg
from sqlalchemy import Connection as Connection
from sqlalchemy import Dialect, Engine, NullPool, create_engine, event
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.util import await_only, greenlet_spawn

from app.domain.errors import DatabaseAway, Unavailable
from app.storage.db.columns import read_json
from app.storage.db.keyed_digests import OPTION, DigestKey
from app.storage.db.postgres.connector import SESSION_SETTINGS as SESSION_SETTINGS
from app.storage.db.postgres.connector import Connector, name_address
from app.storage.db.postgres.pooled import is_pooled
from app.storage.db.postgres.refusals import describe as describe
from app.storage.db.postgres.servers import Servers

P = ParamSpec("P")
T = TypeVar("T")

POOL_SIZE = 8
PREPARED_STATEMENTS = 500
CLOSE_SECONDS = 1.0


# SQLSTATE classes that mean the server failed, not the statement: the connection, the account,
# the database's name, the server's resources, its shutdown, the disk.
_AWAY_CLASSES = frozenset({"08", "28", "3D", "53", "57", "58"})
# A read-only server, and sessions that it ended because they were idle or too long.
_AWAY = frozenset({"25006", "25P03", "25P04"})
# Lock timeouts and deadlocks: trying again may succeed.
_BUSY = frozenset({"40001", "40P01", "55P03"})


class Database(ABC):
    """Runs plain synchronous functions over a Connection, each that writes in one transaction.

    Both methods raise Unavailable where the database cannot be reached.
    """

    dialect: str

    def __init__(self) -> None:
        self.digest_key = DigestKey()

    @property
    def fault(self) -> str | None:
        """Why it must not be used now, even if it answers, and what to do."""
        return None

    def take_faults(self) -> list[str]:
        """Every fault since the last call, including those that are over."""
        return []

    @abstractmethod
    async def read(
        self, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `fn` where it can only read."""

    @abstractmethod
    async def write(
        self, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `fn` and commit before returning; keep it to about 100 rows."""

    async def read_within(self, seconds: float, fn: Callable[[Connection], T], /) -> T:
        """`read`, but Unavailable if it takes longer."""
        reading = asyncio.create_task(self.read(fn))
        try:
            await asyncio.wait({reading}, timeout=seconds)
            if reading.done():
                return reading.result()
        finally:
            # Closing a connection to a hanging server takes seconds; nobody should wait for that.
            reading.cancel()
            reading.add_done_callback(_forget)
        raise Unavailable("the database does not answer")

    async def write_at_length(self, fn: Callable[[Connection], T], /) -> T:
        """`write` for a migration, which may take minutes."""
        return await self.write(fn)

    @property
    def files(self) -> Sequence[Path]:
        """The files it is in, as far as this process can read them."""
        return ()

    async def purge(self) -> bool:
        """Take what was deleted out of the journal; False if somebody still reads it."""
        return True

    async def compact(self) -> None:  # noqa: B027 PostgreSQL writes over free space by itself
        """Write it all anew, without what was ever deleted; nobody can write meanwhile."""

    def abandon(self) -> None:  # noqa: B027 a thread of SQLite's cannot be stopped
        """Drop the connections to a hanging server: callers get Unavailable at once."""

    async def look_for_failover(self) -> None:  # noqa: B027 SQLite has one file
        """Check regularly whether another server should be used."""

    @abstractmethod
    async def close(self) -> None:
        """Finish what was accepted and close every connection."""


class PostgresDatabase(Database):
    """A pool of asyncpg connections; the functions run in greenlets on the event loop."""

    dialect = "postgresql"

    def __init__(self, url: str, servers: Path | None = None) -> None:
        super().__init__()
        dsn = url.replace("postgres://", "postgresql://", 1)
        self.connector = Connector(dsn, Servers(name_address(dsn), servers))
        self._engine = self._make_engine(
            self.connector.connect,
            pool_size=POOL_SIZE,
            max_overflow=POOL_SIZE,
            pool_timeout=5,
            # The connection used last has already prepared the usual statements.
            pool_use_lifo=True,
        )
        event.listen(self._engine, "checkout", self._refuse_unfit)

    @property
    def dsn(self) -> str:
        return self.connector.dsn

    def _make_engine(self, connect: Callable[[], Awaitable[Any]], **options: Any) -> Engine:
        # Not SQLAlchemy's AsyncEngine, which imports the ORM: 8 MB that nothing here uses.
        engine = create_engine(
            "postgresql+asyncpg://",
            hide_parameters=True,
            json_deserializer=read_json,
            execution_options={OPTION: self.digest_key},
            **options,
        )
        event.listen(engine, "do_connect", partial(self._open, connect))
        return engine

    def _open(self, connect: Callable[[], Awaitable[Any]], dialect: Dialect, *_: object) -> Any:
        """Statements are prepared under names only where the next one meets the same session."""
        connection = await_only(connect())
        kept = 0 if is_pooled(connection) else PREPARED_STATEMENTS
        return dialect.connect(
            async_creator_fn=partial(_hand_over, connection), prepared_statement_cache_size=kept
        )

    def _refuse_unfit(self, connection: Any, _record: object, _proxy: object) -> None:
        """Make the pool reconnect if the server has closed a connection, as the driver knows, or if
        another server has replaced it.

        A ping before each transaction would show no more, and costs three round trips.
        """
        driver = connection.driver_connection
        if driver.is_closed() or self.connector.is_behind(driver):
            raise DisconnectionError("the server has closed it, or has been replaced")

    async def name_server(self) -> str:
        """As the connector's."""
        return await self.connector.name_server()

    def abandon(self) -> None:
        self.connector.abandon()

    async def look_for_failover(self) -> None:
        await self.connector.look_for_failover()

    async def read(
        self, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Each statement sees what is committed when it begins, as in a transaction here.

        So there is none, which saves two round trips, unless `begin_transaction` is called.
        """

        def run() -> T:
            with self._engine.begin() as connection, _committing_each_statement(connection):
                return fn(connection, *args, **kwargs)

        return await self._run(run)

    async def write(
        self, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        def run() -> T:
            with self._engine.begin() as connection:
                return fn(connection, *args, **kwargs)

        return await self._run(run)

    async def write_at_length(self, fn: Callable[[Connection], T], /) -> T:
        """On a connection of its own, on which a statement may take any time."""
        connect = partial(self.connector.connect, command_timeout=None)

        def run() -> T:
            with self._make_engine(connect, poolclass=NullPool).begin() as connection:
                return fn(connection)

        return await self._run(run)

    async def _run(self, run: Callable[[], T]) -> T:
        try:
            return await greenlet_spawn(run)
        except PoolTimeout:
            raise DatabaseAway(
                "all connections of this process to the database are in use: try again in a moment"
            ) from None
        except TimeoutError:
            raise DatabaseAway(
                "the database does not answer in time: look at the server's load, its locks, and"
                " the network"
            ) from None
        except (OSError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError) as error:
            raise DatabaseAway(
                f"the connection to the database broke off ({describe(error)}): try again, and look"
                " at PostgreSQL's log"
            ) from None
        except DBAPIError as error:
            if not is_connection_loss(error) and _read_state(error) not in _BUSY:
                raise
            raise DatabaseAway(_describe_loss(error)) from None

    async def close(self) -> None:
        # A hanging server never confirms the end of a connection, and must not delay ours.
        closing = asyncio.create_task(greenlet_spawn(self._engine.dispose))
        await asyncio.wait({closing}, timeout=CLOSE_SECONDS)
        if not closing.done():
            self.abandon()
        await closing


def open_database(
    url: str,
    sqlite_path: Path,
    *,
    busy_timeout_seconds: float = 0.9,
    is_owner: bool = False,
    servers: Path | None = None,
) -> Database:
    """The database from the settings, not yet connected.

    `is_owner`: this process watches the SQLite file, as the service does. `servers` is the file
    that records PostgreSQL's servers (storage/db/postgres/servers.py).
    """
    if url.startswith("postgres"):
        return PostgresDatabase(url, servers)
    from app.storage.db.sqlite.database import SqliteDatabase  # noqa: PLC0415 it imports this module

    return SqliteDatabase(sqlite_path, busy_timeout_seconds=busy_timeout_seconds, is_owner=is_owner)


@contextlib.contextmanager
def _committing_each_statement(connection: Connection) -> Iterator[None]:
    driver: Any = connection.connection.dbapi_connection
    # A pooler would give the settings of our sessions to no statement outside a transaction.
    driver.autocommit = not is_pooled(driver.driver_connection)
    try:
        yield
    finally:
        driver.autocommit = False


def begin_transaction(connection: Connection) -> None:
    """Run what follows on PostgreSQL in one transaction, for savepoints and settings of its own.

    It ends with the `read` or `write` that the connection is for.
    """
    driver: Any = connection.connection.dbapi_connection
    driver.autocommit = False


def is_connection_loss(error: DBAPIError) -> bool:
    """Whether the connection or the server failed, rather than the statement."""
    state = _read_state(error)
    return error.connection_invalidated or state[:2] in _AWAY_CLASSES or state in _AWAY


async def _hand_over(connection: Any) -> Any:
    return connection


def _read_state(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", "") or "")


def _forget(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()


def _describe_loss(error: DBAPIError) -> str:
    return (
        f"the database cannot be used now: {describe(error.orig)}; try again, and look at"
        " PostgreSQL's log if it goes on"
    )
