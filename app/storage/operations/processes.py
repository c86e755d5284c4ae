"""Which processes run, and how many messages lie in a spool that only they can reach."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select, update

from app.storage.tables.operations import processes

# Without a sign of life for so long a process counts as gone.
GONE_AFTER = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Process:
    """`id` is that of its spool folder; `kind` is `web` or `work`.

    Each of kind `work` runs the workers, and a web process where RUN_WORKERS says so.
    """

    id: str
    kind: str
    host: str
    pid: int
    started_at: datetime
    seen_at: datetime
    spool_depth: int
    runs_workers: bool


def note_process(conn: Connection, process: Process) -> None:
    """Register a process or its newest sign of life."""
    known = conn.execute(
        update(processes)
        .where(processes.c.id == process.id)
        .values(seen_at=process.seen_at, spool_depth=process.spool_depth)
    ).rowcount
    if not known:
        conn.execute(
            insert(processes).values(
                id=process.id,
                kind=process.kind,
                host=process.host,
                pid=process.pid,
                started_at=process.started_at,
                seen_at=process.seen_at,
                spool_depth=process.spool_depth,
                runs_workers=process.runs_workers,
            )
        )


def forget_processes(conn: Connection, ids: Sequence[str]) -> None:
    """They ended cleanly, or their spool has been drained by another."""
    conn.execute(delete(processes).where(processes.c.id.in_(list(ids))))


def list_processes(conn: Connection) -> list[Process]:
    """All that are registered, also those that are gone."""
    return [Process(*row) for row in conn.execute(select(processes).order_by(processes.c.id))]
