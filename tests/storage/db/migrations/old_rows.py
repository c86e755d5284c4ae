"""Brings a database to an older revision, and writes rows as they were then."""

from datetime import datetime, timedelta

from alembic import command
from alembic.config import Config
from sqlalchemy import text

from app.domain.times import to_microseconds
from app.storage.db.database import Connection
from app.storage.db.migrate import MIGRATIONS
from tests.conftest import NOW


def upgrade_to(revision: str, conn: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = conn
    command.upgrade(config, revision)


def write_time(conn: Connection, moment: datetime) -> str:
    """As either database keeps it."""
    at = to_microseconds(moment)
    return f"to_timestamp({at / 1e6})" if conn.dialect.name == "postgresql" else str(at)


def add_text(conn: Connection, status: str, schedule: int | None, send_before: int | None) -> None:
    """A text of an hour's validity that was written now; the times are in seconds from now."""

    def tell(seconds: int | None) -> str:
        return "NULL" if seconds is None else write_time(conn, NOW + timedelta(seconds=seconds))

    conn.execute(
        text(
            "INSERT INTO outbound (source, source_key, body, parts, origin, forced, status,"
            " background_ids, attempts, validity_seconds, schedule_at, send_before, due_at,"
            " created_at) VALUES ('447700900001', :key, 'Hello', 1, 'person', :no, :status, '[]',"
            f" 0, 3600, {tell(schedule)}, {tell(send_before)}, {tell(0)}, {tell(0)})"
        ),
        {"key": b"", "status": status, "no": False},
    )
