"""Connections through a pooler that gives a client the server's process by transaction.

Such a pooler (pgbouncer with `pool_mode = transaction`) keeps no session: the next transaction may
run in another process of the server, and the next client in ours. So everything runs in a
transaction that begins with our settings, and no statement is prepared under a name.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg

# What is set for a socket is the pooler's business.
_OF_SOCKETS = "tcp_"
_ISOLATION = "default_transaction_isolation"


class PooledConnection(asyncpg.Connection):  # type: ignore[misc]  # the driver is untyped
    """Each transaction begins with `settings`, in the same message; what has none gets its own.

    To be made with `statement_cache_size=0`.
    """

    settings = ""

    async def execute(self, query: str, *args: Any, **options: Any) -> str:
        if not args and query.startswith("BEGIN"):
            query += self.settings
        status: str = await super().execute(query, *args, **options)
        return status

    async def _execute(self, *args: Any, **options: Any) -> Any:
        """What all the driver's queries come through: `fetch` and what it asks for itself."""
        if self.is_in_transaction():
            return await super()._execute(*args, **options)
        async with self.transaction():
            return await super()._execute(*args, **options)


def is_pooled(connection: object) -> bool:
    """Not by isinstance, which the driver answers itself, and wrongly."""
    return type(connection) is PooledConnection


def write_settings(settings: Mapping[str, str]) -> str:
    """The statements that make a transaction keep them, and that end with it."""
    kept = {name: value for name, value in settings.items() if not name.startswith(_OF_SOCKETS)}
    level = kept.pop(_ISOLATION)
    lines = [f"SET TRANSACTION ISOLATION LEVEL {level.upper()};"]
    return "".join(lines + [f"SET LOCAL {name} = '{value}';" for name, value in kept.items()])


async def list_processes(connection: Any, times: int) -> Sequence[int]:
    """Which of the server's processes answered, transaction after transaction."""
    return [await connection.fetchval("SELECT pg_backend_pid()") for _ in range(times)]
