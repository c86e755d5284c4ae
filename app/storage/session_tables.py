"""The tables of who is signed in to the pages, and of how they may."""

from sqlalchemy import Column, Index, Integer, LargeBinary, Table, Text

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

# What the throttle of passwords counts: failures of a name, an address, both or everybody.
sign_in_failures = Table(
    "sign_in_failures",
    metadata,
    Column("who", LargeBinary, primary_key=True, comment="a digest"),
    Column("count", Integer, nullable=False),
    Column("last_at", UtcTime, nullable=False),
    Index("sign_in_failures_last_idx", "last_at"),
)
