"""Checks that every id answered with 200 has exactly one row."""

import asyncio
import contextlib
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import asyncpg

# Each server's table and column; the obvious version names both as Letterbox does.
QUERY = "SELECT provider_id FROM messages"

# A message that went to the spool reaches its table a moment later.
PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """`acknowledged` ids were answered 200; of them `lost` have no row and `doubled` several."""

    acknowledged: int
    lost: int
    doubled: int

    @property
    def is_good(self) -> bool:
        return not (self.lost or self.doubled)


def verify_rows(ids_paths: list[Path], read: Callable[[], Counter[str]]) -> Verdict:
    """Compare the ids in the files with those stored, waiting for what is still being stored."""
    ids = [identity for path in ids_paths for identity in path.read_text().split()]
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        verdict = judge_rows(ids, read())
        if not verdict.lost or time.monotonic() > deadline:
            return verdict
        time.sleep(0.5)


def judge_rows(ids: list[str], rows: Counter[str]) -> Verdict:
    return Verdict(
        acknowledged=len(ids),
        lost=sum(rows[identity] == 0 for identity in ids),
        doubled=sum(rows[identity] > 1 for identity in ids),
    )


def read_rows(database_url: str, query: str = QUERY) -> list[str]:
    """Every stored provider id, or what else is asked for, read directly from the database."""
    if database_url.startswith("postgresql"):
        return asyncio.run(_read_postgres(database_url, query))
    path = Path(database_url.removeprefix("sqlite:///"))
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return [str(row[0]) for row in connection.execute(query)]


async def _read_postgres(database_url: str, query: str) -> list[str]:
    connection = await asyncpg.connect(database_url, ssl=False)
    try:
        return [str(row[0]) for row in await connection.fetch(query)]
    finally:
        await connection.close()
