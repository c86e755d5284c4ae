"""The clock that several machines agree on, for due times, leases and the pace."""

from datetime import UTC, datetime

from sqlalchemy import Connection, func, select


def read_clock(conn: Connection) -> datetime:
    """The database's time; with SQLite this machine's, because only one can use the file."""
    if conn.dialect.name == "postgresql":
        now: datetime = conn.execute(select(func.clock_timestamp())).scalar_one()
        return now.astimezone(UTC)
    return datetime.now(UTC)
