"""The one clock of what several machines agree on: due times, leases and the pace."""

from datetime import UTC, datetime

from sqlalchemy import Connection, func, select


def read_clock(conn: Connection) -> datetime:
    """The database's time; SQLite's is this machine's, which alone can hold the file."""
    if conn.dialect.name == "postgresql":
        now: datetime = conn.execute(select(func.clock_timestamp())).scalar_one()
        return now.astimezone(UTC)
    return datetime.now(UTC)
