"""Connects to PostgreSQL: to a server that can write and is not an old one."""

import asyncio
import socket
import ssl
import weakref
from collections.abc import Mapping
from typing import Any

import asyncpg
import structlog

from app.domain.errors import DatabaseAway, SetupError, Unavailable
from app.domain.operations.database_url import name_address as name_address
from app.domain.operations.database_url import prepare_url, wants_system_roots
from app.domain.operations.database_url import split_hosts as split_hosts
from app.storage.db.postgres.pooled import (
    PooledConnection,
    is_pooled,
    list_processes,
    write_settings,
)
from app.storage.db.postgres.refusals import explain
from app.storage.db.postgres.servers import OldServer, Server, Servers

CONNECT_SECONDS = 5.0
COMMAND_SECONDS = 30.0
# For checking all servers of a database that has several.
LOOK_SECONDS = 3.0
POOLER_SECONDS = 2.0
# A machine that does not answer is given up after 25 seconds, whether or not anything was sent.
TCP_OPTIONS = {
    "TCP_KEEPIDLE": 10,
    "TCP_KEEPINTVL": 5,
    "TCP_KEEPCNT": 3,
    "TCP_USER_TIMEOUT": 25_000,
}
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

_BY_TRANSACTION: Mapping[str, Any] = {
    "connection_class": PooledConnection,
    "statement_cache_size": 0,
}

log = structlog.get_logger("letterbox.database")


class Connector:
    """Makes the connections of one process, and can end all of them."""

    def __init__(self, dsn: str, servers: Servers) -> None:
        """Raises SettingsError for an unsupported parameter."""
        self.dsn = dsn
        self._dsns = split_hosts(prepare_url(dsn))
        # The one that was connected to last is tried first: another may hang for seconds each time.
        self._used = self._dsns[0]
        # None: as the URL's own parameters say.
        self._tls = ssl.create_default_context() if wants_system_roots(dsn) else None
        self._settings = dict(SESSION_SETTINGS)
        if "application_name=" in dsn:
            del self._settings["application_name"]
        self._servers = servers
        self._open: weakref.WeakKeyDictionary[Any, Server | None] = weakref.WeakKeyDictionary()
        self._is_abandoned = False
        # Of each address, whether a pooler there gives out the server's processes by transaction.
        self._pooled: dict[str, bool] = {}
        self._is_astray = False

    async def connect(
        self, *, command_timeout: float | None = COMMAND_SECONDS, **settings: str
    ) -> Any:
        """A connection with `settings` beside the usual ones.

        Raises SetupError for what waiting will not mend, and DatabaseAway.
        """
        if self._servers.newest is None and len(self._dsns) > 1:
            await self.look_for_failover()
        refusal: Exception | None = None
        for dsn in sorted(self._dsns, key=lambda dsn: dsn != self._used):
            if self._is_abandoned:
                raise Unavailable("the process ends")
            try:
                return await self._connect_to(dsn, command_timeout, self._settings | settings)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                refusal = refusal or explain(error, dsn)
            except ValueError:
                refusal = refusal or DatabaseAway(NO_PLACE)
            except asyncpg.InternalClientError as error:
                # It answers, but another server is the primary.
                refusal = explain(error, dsn)
            except OldServer as error:
                refusal = error
        assert refusal is not None  # noqa: S101 there is at least one address
        raise refusal

    async def name_server(self) -> str:
        """The URL of the one server that takes writes, for PostgreSQL's own tools.

        They would take the first that answers, and their settings would stay in the connections of
        a pooler by transaction. Raises SetupError for such a pooler, and as `connect`.
        """
        connection = await self.connect()
        connection.terminate()
        if is_pooled(connection):
            raise SetupError(
                "LETTERBOX_DATABASE_URL names a pooler by transaction, which PostgreSQL's tools"
                " must not use: name PostgreSQL itself for this command"
            )
        return split_hosts(self.dsn)[self._dsns.index(self._used)]

    def is_behind(self, connection: Any) -> bool:
        """Whether another server has replaced the one it is connected to."""
        return self._is_astray or self._servers.is_behind(self._open.get(connection))

    def abandon(self) -> None:
        """End every connection at once, and make no more."""
        self._is_abandoned = True
        for connection in tuple(self._open):
            connection.terminate()

    async def look_for_failover(self) -> None:
        """Find out whether another server has replaced the current one, and let go of that."""
        self._servers.look()
        if len(self._dsns) > 1:
            await self._look_at_all()
        elif self._pooled.get(self._used):
            await self._look_behind_pooler()
        for connection in tuple(self._open):
            if self.is_behind(connection):
                connection.terminate()

    async def _look_at_all(self) -> None:
        asked = await asyncio.gather(*map(self._ask, self._dsns))
        found = {server: dsn for server, dsn in zip(asked, self._dsns, strict=True) if server}
        newest = self._servers.newest
        # If the clusters are not copies of each other, the order in the URL decides.
        if found and len({each.system for each in (*found, newest or next(iter(found)))}) == 1:
            server = max(found)
            if newest is None or server > newest:
                log.info("server_found", timeline=server.timeline)
                self._servers.admit(server)
                self._used = found[server]

    async def _look_behind_pooler(self) -> None:
        """The connection stays the same there while the server behind it becomes another."""
        server = await self._ask(self._used)
        try:
            if server is not None:
                self._servers.admit(server)
        except OldServer:
            self._is_astray = True

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
        if dsn not in self._pooled:
            self._pooled[dsn] = await self._finds_pooler(dsn)
        connection = await self._reach(dsn, command_timeout)
        try:
            server = await _identify(connection)
            if server is not None:
                self._servers.admit(server)
            if is_pooled(connection):
                connection.settings = write_settings(settings)
            else:
                await connection.execute(_SET, list(settings), list(settings.values()))
        except BaseException:
            connection.terminate()
            raise
        self._open[connection] = server
        self._used, self._is_astray = dsn, False
        return connection

    async def _finds_pooler(self, dsn: str) -> bool:
        """Whether a pooler gives two clients the same server process in turn.

        Between us and the server is a pooler where the process that greeted us is not the one that
        answers. If none is free for a second client, sessions cannot be relied on.
        """
        one = await self._reach(dsn, POOLER_SECONDS)
        try:
            mine = set(await list_processes(one, 1))
            if mine == {one.get_server_pid()}:
                return False
            mine |= {*await list_processes(one, POOLER_TRIES)}
            other = await self._reach(dsn, POOLER_SECONDS)
            try:
                others = {*await list_processes(other, POOLER_TRIES)}
                mine |= {*await list_processes(one, POOLER_TRIES)}
            except TimeoutError:
                return True
            finally:
                other.terminate()
        finally:
            one.terminate()
        pooled = bool(mine & others) or len(mine) > 1
        log.info("pooler_found", mode="transaction" if pooled else "session")
        return pooled

    async def _reach(self, dsn: str, command_timeout: float | None) -> Any:
        """Without our settings: a pooler refuses those it does not know.

        As if there were a pooler by transaction, until it is known that there is none.
        """
        pooled = self._pooled.get(dsn, True)
        connection = await asyncpg.connect(
            dsn,
            timeout=CONNECT_SECONDS,
            command_timeout=command_timeout,
            target_session_attrs="read-write",
            ssl=self._tls,
            **(_BY_TRANSACTION if pooled else {}),
        )
        _watch_peer(connection._transport.get_extra_info("socket"))
        return connection


def _watch_peer(connected: socket.socket) -> None:
    """Have the kernel end the connection to a machine that is gone without a word.

    The driver sets none of this, and the kernel's own time is two hours: whoever used a connection
    that was at rest would wait for COMMAND_SECONDS. Firewalls that forget connections at rest also
    see that it is used.
    """
    if connected.family == socket.AF_UNIX:
        return
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in TCP_OPTIONS.items():
        # Each system has its own.
        if hasattr(socket, name):
            connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


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
