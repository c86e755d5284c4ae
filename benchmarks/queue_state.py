"""Asks a database how far handling is."""

import asyncio
import contextlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path

import asyncpg

_WAITING = "SELECT count(*) FROM messages WHERE handled_at IS NULL"
_LONGEST = "SELECT coalesce(max(handled_at - stored_at), {zero}) FROM messages"


@dataclass(frozen=True, slots=True)
class QueueState:
    """Messages that wait, and how many seconds the slowest of the others did."""

    waiting: int
    longest_wait: float

    def __str__(self) -> str:
        return f"{self.waiting:,} wait, the slowest was handled after {self.longest_wait:.2f} s"


def read_queue(database_url: str) -> QueueState:
    if database_url.startswith("postgresql"):
        return asyncio.run(_read_postgres(database_url))
    path = Path(database_url.removeprefix("sqlite:///"))
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        waiting = connection.execute(_WAITING).fetchone()[0]
        longest = connection.execute(_LONGEST.format(zero="0")).fetchone()[0]
    return QueueState(waiting, longest / 1e6)


async def _read_postgres(database_url: str) -> QueueState:
    connection = await asyncpg.connect(database_url, ssl=False)
    try:
        waiting = await connection.fetchval(_WAITING)
        longest = await connection.fetchval(_LONGEST.format(zero="interval '0'"))
    finally:
        await connection.close()
    return QueueState(waiting, longest.total_seconds())
