"""Databases without a row that are used again: emptying one takes a tenth of making one."""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Iterator, Sequence
from itertools import count
from typing import Any, TypeVar

import asyncpg

from tests.support.storage.postgres import PostgresServer

# What was deleted stays in the files, and changes how a query is planned in the end.
MOST_USES = 50
END_SECONDS = 5.0
PATIENCE_SECONDS = 30.0

# Differs once anything but rows was changed: a table, a right, a function, statistics.
_LOOK = "SELECT " + ", ".join(
    f"(SELECT (count(*), max(xmin::text::bigint))::text FROM {each})"
    for each in (
        *("pg_class", "pg_attribute", "pg_index", "pg_constraint", "pg_trigger", "pg_proc"),
        *("pg_namespace", "pg_extension", "pg_statistic", "pg_default_acl", "pg_db_role_setting"),
    )
)
_END_OTHERS = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)

Result = TypeVar("Result")


class ReusedDatabases:
    """Copies of a migrated database, each for one test at a time.

    A connection to each stays open: a new one would first read what it needs to know of every
    table, which takes longer than to empty them.
    """

    def __init__(self, server: PostgresServer, template: str) -> None:
        self._server = server
        self._template = template
        self._uses: dict[str, int] = {}
        self._connections: dict[str, Any] = {}
        self._free: list[str] = []
        self._numbers = count(1)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._look, self._reset = self._run(self._read_template())

    def close(self) -> None:
        for name in [*self._connections]:
            self._disconnect(name)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @contextlib.contextmanager
    def lend(self) -> Iterator[str]:
        """The name of one without a row, for the length of a with block."""
        name = self._free.pop() if self._free else self._make()
        yield name
        self._uses[name] += 1
        if self._uses[name] < MOST_USES and self._empty(name):
            self._free.append(name)
        else:
            self._disconnect(name)
            self._server.drop_database(name)

    def _make(self) -> str:
        name = f"reused_{next(self._numbers)}"
        self._server.create_database(name, self._template)
        self._uses[name] = 0
        return name

    async def _read_template(self) -> tuple[Sequence[object], str]:
        connection = await asyncpg.connect(self._server.url(self._template), ssl=False)
        try:
            return await _look(connection), await _write_reset(connection)
        finally:
            await connection.close()

    def _empty(self, name: str) -> bool:
        """False where a test has changed more than rows."""
        try:
            return self._run(self._empty_over(name))
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
            return False

    async def _empty_over(self, name: str) -> bool:
        if name not in self._connections:
            self._connections[name] = await asyncpg.connect(self._server.url(name), ssl=False)
        connection = self._connections[name]
        async with asyncio.timeout(END_SECONDS):
            while await connection.fetchval(_END_OTHERS):
                await connection.execute("SELECT pg_sleep(0.005)")
        if await _look(connection) != self._look:
            return False
        await connection.execute(self._reset)
        return True

    def _disconnect(self, name: str) -> None:
        connection = self._connections.pop(name, None)
        if connection is not None:
            self._run(_terminate(connection))

    def _run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_SECONDS)


async def _terminate(connection: Any) -> None:
    connection.terminate()
    # It is closed in the loop's next round.
    await asyncio.sleep(0)


async def _look(connection: Any) -> Sequence[object]:
    return tuple(await connection.fetchrow(_LOOK))


async def _write_reset(connection: Any) -> str:
    """The statements that make a copy what the template is: its rows, and no others."""
    tables = await connection.fetch(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
    )
    steps = []
    for (table,) in tables:
        rows = await connection.fetchval(f'SELECT json_agg(t)::text FROM "{table}" AS t')
        steps.append(f'DELETE FROM "{table}"')
        if rows:
            given = await connection.fetchval("SELECT quote_literal($1::text)", rows)
            steps.append(
                f'INSERT INTO "{table}" OVERRIDING SYSTEM VALUE'
                f' SELECT * FROM json_populate_recordset(NULL::"{table}", {given})'
            )
    sequences = await connection.fetch("SELECT sequencename, last_value FROM pg_sequences")
    steps += [
        f"SELECT setval('\"{name}\"', {last or 1}, {last is not None})" for name, last in sequences
    ]
    return ";".join(steps)
