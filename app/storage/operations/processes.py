"""Which processes run, and how many messages wait in the spool of each."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, select

from app.storage.db.upserts import make_insert
from app.storage.tables.operations import processes

# Without a heartbeat for this long a process counts as gone.
GONE_AFTER = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Process:
    """The names of its spool's files begin with `id`; `kind` is `web` or `work`.

    Every `work` process runs the workers, and a web process if RUN_WORKERS is true.
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
    """Register a process, or its newest heartbeat."""
    newest = {"seen_at": process.seen_at, "spool_depth": process.spool_depth}
    conn.execute(
        make_insert(conn, processes)
        .values(asdict(process))
        .on_conflict_do_update(index_elements=["id"], set_=newest)
    )


def forget_processes(conn: Connection, ids: Sequence[str]) -> None:
    """For those that ended cleanly, or whose spool another process has drained."""
    conn.execute(delete(processes).where(processes.c.id.in_(list(ids))))


def list_processes(conn: Connection) -> list[Process]:
    """All that are registered, even those that are gone."""
    return [Process(*row) for row in conn.execute(select(processes).order_by(processes.c.id))]
