"""Connects to PostgreSQL: to a server that can write, is not an old one, and keeps sessions."""

import asyncio
import ssl
import weakref
from typing import Any

import asyncpg
import structlog

from app.domain.errors import SetupError, Unavailable
from app.domain.operations.database_url import name_address as name_address
from app.domain.operations.database_url import prepare_url, wants_system_roots
from app.domain.operations.database_url import split_hosts as split_hosts
from app.storage.db.postgres.servers import OldServer, Server, Servers

CONNECT_SECONDS = 5.0
COMMAND_SECONDS = 30.0
# For checking all servers of a database that has several.
LOOK_SECONDS = 3.0
POOLER_SECONDS = 2.0
NO_PLACE = "a host or port of LETTERBOX_DATABASE_URL, PGHOST or PGPORT is not valid"
POOLER_TRIES = 3

# A hanging worker must not hold its rows, nor a dead machine its locks for two hours. And a plan
# made while a table was empty must not scan it once it is full: there is always an index.
SESSION_SETTINGS = {
    "application_name": "letterbox",
    "jit": "off",
    "enable_seqscan": "off",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "10s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    "synchronous_commit": "on",
    "default_transaction_isolation": "read committed",
}

_SET = "SELECT set_config(key, value, false) FROM unnest($1::text[], $2::text[]) AS s (key, value)"
# The function knows the timeline at once, the control file only after the next checkpoint.
_IDENTIFY = """
SELECT system_identifier::text, pg_walfile_name(pg_current_wal_lsn()) FROM pg_control_system()
"""

log = structlog.get_logger("letterbox.database")


class Connector:
    """Makes the connections of one process, and can end all of them."""

    def __init__(self, dsn: str, servers: Servers) -> None:
        """Raises SettingsError for an unsupported parameter."""
        self.dsn = dsn
        self._dsns = split_hosts(prepare_url(dsn))
        # None: as the URL's own parameters say.
        self._tls = ssl.create_default_context() if wants_system_roots(dsn) else None
        self._settings = dict(SESSION_SETTINGS)
        if "application_name=" in dsn:
            del self._settings["application_name"]
        self._servers = servers
        self._open: weakref.WeakKeyDictionary[Any, Server | None] = weakref.WeakKeyDictionary()
        self._is_abandoned = False
        self._keeps_sessions = False

    async def connect(
        self, *, command_timeout: float | None = COMMAND_SECONDS, **settings: str
    ) -> Any:
        """A connection with `settings` beside the usual ones.

        Raises SetupError where a pooler hands out the server by transaction, Unavailable and what
        the driver raises.
        """
        refusal: Exception | None = None
        for dsn in self._dsns:
            if self._is_abandoned:
                raise Unavailable("the process ends")
            try:
                return await self._connect_to(dsn, command_timeout, self._settings | settings)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                refusal = refusal or error
            except ValueError:
                refusal = refusal or Unavailable(NO_PLACE)
            except (asyncpg.InternalClientError, OldServer) as error:
                # It answers, but another server is the primary.
                refusal = error
        assert refusal is not None  # noqa: S101 there is at least one address
        raise refusal

    def is_behind(self, connection: Any) -> bool:
        """Whether another server has replaced the one it is connected to."""
        return self._servers.is_behind(self._open.get(connection))

    def abandon(self) -> None:
        """End every connection at once, and make no more."""
        self._is_abandoned = True
        for connection in tuple(self._open):
            connection.terminate()

    async def look_for_failover(self) -> None:
        """Find out whether another server has replaced the current one."""
        self._servers.look()
        if len(self._dsns) == 1:
            return
        newest = self._servers.newest
        found = [each for each in await asyncio.gather(*map(self._ask, self._dsns)) if each]
        # If the clusters are not copies of each other, the order in the URL decides.
        if found and len({each.system for each in (*found, newest or found[0])}) == 1:
            server = max(found)
            if newest is None or server > newest:
                log.info("server_found", timeline=server.timeline)
                self._servers.admit(server)

    async def _ask(self, dsn: str) -> Server | None:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                connection = await self._reach(dsn, LOOK_SECONDS)
                try:
                    return await _identify(connection)
                finally:
                    connection.terminate()
        except (
            OSError,
            ValueError,
            asyncpg.PostgresError,
            asyncpg.InterfaceError,
            asyncpg.InternalClientError,
        ):
            return None

    async def _connect_to(
        self, dsn: str, command_timeout: float | None, settings: dict[str, str]
    ) -> Any:
        connection = await self._reach(dsn, command_timeout)
        try:
            if not self._keeps_sessions:
                await self._check_sessions(connection, dsn)
                self._keeps_sessions = True
            server = await _identify(connection)
            if server is not None:
                self._servers.admit(server)
            await connection.execute(_SET, list(settings), list(settings.values()))
        except BaseException:
            connection.terminate()
            raise
        self._open[connection] = server
        return connection

    async def _check_sessions(self, connection: Any, dsn: str) -> None:
        """Raises SetupError where a pooler gives two clients the same server process in turn.

        Prepared statements and settings would then be another client's. Between us and the server
        is a pooler where the process that greeted us is not the one that answers.
        """
        try:
            pid = await connection.fetchval("SELECT pg_backend_pid()")
            if pid == connection.get_server_pid():
                return
            async with asyncio.timeout(POOLER_SECONDS):
                other = await self._reach(dsn, POOLER_SECONDS)
                try:
                    pids, others = {pid}, set()
                    for _ in range(POOLER_TRIES):
                        others.add(await other.fetchval("SELECT pg_backend_pid()"))
                        pids.add(await connection.fetchval("SELECT pg_backend_pid()"))
                finally:
                    other.terminate()
        except (asyncpg.InvalidSQLStatementNameError, asyncpg.DuplicatePreparedStatementError):
            pids = others = {0}
        except TimeoutError:
            return  # a pool of one session, which is ours
        if pids & others or len(pids) > 1:
            raise SetupError(
                "LETTERBOX_DATABASE_URL: the pooler there changes the server's process between"
                " transactions; set its pool_mode to session, or name PostgreSQL itself"
            )

    async def _reach(self, dsn: str, command_timeout: float | None) -> Any:
        """Without our settings: a pooler refuses those it does not know."""
        return await asyncpg.connect(
            dsn,
            timeout=CONNECT_SECONDS,
            command_timeout=command_timeout,
            target_session_attrs="read-write",
            ssl=self._tls,
        )


async def _identify(connection: Any) -> Server | None:
    """None if the server lacks these functions or forbids them."""
    try:
        system, file = await connection.fetchrow(_IDENTIFY)
    except asyncpg.PostgresError as error:
        if isinstance(error, asyncpg.PostgresConnectionError):
            raise
        log.debug("server_not_identified", error=type(error).__name__)
        return None
    return Server(system, int(file[:8], 16))
