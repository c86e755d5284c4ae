"""The tables of who is signed in to the pages, and of how they may."""

from sqlalchemy import Column, Index, LargeBinary, Table, Text

from app.storage.columns import UtcTime, make_id, metadata

sessions = Table(
    "sessions",
    metadata,
    make_id(),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("user_agent", Text, nullable=False, comment="cut to a length"),
    Column("created_at", UtcTime, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("proof", LargeBinary, comment="of the password that opened it; null: a link did"),
    Index("sessions_name_idx", "name"),
    Index("sessions_expires_idx", "expires_at"),
    sqlite_autoincrement=True,
)

login_links = Table(
    "login_links",
    metadata,
    make_id(),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("used_at", UtcTime),
    Index("login_links_expires_idx", "expires_at"),
    sqlite_autoincrement=True,
)

# One row for each password that is being compared or was wrong: what the throttle counts.
password_attempts = Table(
    "password_attempts",
    metadata,
    make_id(),
    Column("address", Text, nullable=False),
    Column("tried_at", UtcTime, nullable=False),
    Index("password_attempts_tried_idx", "tried_at"),
    sqlite_autoincrement=True,
)
