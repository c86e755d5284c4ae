"""Which processes run, and how many messages wait in the spool of each."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, select

from app.storage.db.upserts import make_insert
from app.storage.tables.operations import process_figures, processes

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
    conn.execute(delete(process_figures).where(process_figures.c.process_id.in_(list(ids))))


def note_figures(conn: Connection, process_id: str, figures: Sequence[Any]) -> None:
    """Store what a process has counted since its start."""
    conn.execute(
        make_insert(conn, process_figures)
        .values(process_id=process_id, figures=list(figures))
        .on_conflict_do_update(index_elements=["process_id"], set_={"figures": list(figures)})
    )


def list_figures(conn: Connection, *, alive_since: datetime) -> list[tuple[str, Any]]:
    """What each process has counted that was seen since then, by `host:pid`.

    A container that was killed and started again has the same name: its newest row counts.
    """
    query = (
        select(processes.c.host, processes.c.pid, process_figures.c.figures)
        .join(processes, processes.c.id == process_figures.c.process_id)
        .where(processes.c.seen_at > alive_since)
        .order_by(processes.c.seen_at)
    )
    found = {f"{host}:{pid}": figures for host, pid, figures in conn.execute(query)}
    return list(found.items())


def list_processes(conn: Connection) -> list[Process]:
    """All that are registered, even those that are gone."""
    return [Process(*row) for row in conn.execute(select(processes).order_by(processes.c.id))]
