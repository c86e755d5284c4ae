"""Leases: what only one process does at a time, held as a row for a while."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, or_, select, update

from app.storage.db.upserts import make_insert
from app.storage.tables.operations import leases

# The clocks of two processes differ by less.
LEEWAY = timedelta(seconds=5)


def take_lease(conn: Connection, name: str, holder: str, *, seconds: float, now: datetime) -> bool:
    """Hold it for `seconds` from now on; False: another process has it."""
    until = now + timedelta(seconds=seconds)
    conn.execute(
        make_insert(conn, leases)
        .values(name=name, holder=holder, until=now, first_at=now)
        .on_conflict_do_nothing()
    )
    # If it ends later than is possible, it was taken before the clock was set back.
    is_impossible = leases.c.until > until + LEEWAY
    is_free = or_(leases.c.holder == holder, leases.c.until <= now, is_impossible)
    taken = conn.execute(
        update(leases).where(leases.c.name == name, is_free).values(holder=holder, until=until)
    )
    return bool(taken.rowcount)


def return_lease(
    conn: Connection, name: str, holder: str, *, now: datetime, began_at: datetime | None
) -> bool:
    """Let the next one have it; `began_at` is when the run began, None where it failed.

    False: another has taken it meanwhile.
    """
    values = {"until": now} | ({} if began_at is None else {"succeeded_at": began_at})
    returned = conn.execute(
        update(leases).where(leases.c.name == name, leases.c.holder == holder).values(**values)
    )
    return bool(returned.rowcount)


def find_last_success(conn: Connection, name: str) -> datetime | None:
    """When the last successful run began."""
    found: datetime | None = conn.execute(
        select(leases.c.succeeded_at).where(leases.c.name == name)
    ).scalar()
    return found


def find_first_taken(conn: Connection, name: str) -> datetime | None:
    """When it was first held."""
    found: datetime | None = conn.execute(
        select(leases.c.first_at).where(leases.c.name == name)
    ).scalar()
    return found


def forget_lease(conn: Connection, name: str) -> None:
    """What it was for is gone."""
    conn.execute(delete(leases).where(leases.c.name == name))
