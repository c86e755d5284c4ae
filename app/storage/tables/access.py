"""The tables of numbers and their auth values, API keys, members, sessions, and the audit trail."""

from sqlalchemy import JSON, Column, ForeignKey, Index, Integer, LargeBinary, Table, Text

from app.storage.db.columns import BigId, UtcTime, make_id, metadata

numbers = Table(
    "numbers",
    metadata,
    make_id(),
    Column("number", Text, nullable=False, unique=True),
    Column("label", Text, nullable=False),
    Column("merge_field_names", JSON, nullable=False),
    Column("opt_out_reply", Text),
    Column("created_at", UtcTime, nullable=False),
    sqlite_autoincrement=True,
)

number_auths = Table(
    "number_auths",
    metadata,
    make_id(),
    Column("number_id", BigId, ForeignKey("numbers.id", ondelete="CASCADE"), nullable=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("created_at", UtcTime, nullable=False),
    Column("last_seen_at", UtcTime),
    Column("expires_at", UtcTime),
    Index("number_auths_number_idx", "number_id"),
    sqlite_autoincrement=True,
)

api_keys = Table(
    "api_keys",
    metadata,
    make_id(),
    Column("name", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("scopes", Text, nullable=False, comment="with a space between"),
    Column("created_at", UtcTime, nullable=False),
    Column("last_used_at", UtcTime),
    sqlite_autoincrement=True,
)

# Digests of the shared secrets: they show if two machines generated their own.
shared_secrets = Table(
    "shared_secrets",
    metadata,
    Column("name", Text, primary_key=True),
    Column("digest", LargeBinary, nullable=False),
    Column("sealed", LargeBinary, comment="readable with the API key; null: not kept"),
)

# One row: a counter of changes to what processes keep in memory (numbers, auth values).
revisions = Table(
    "revisions",
    metadata,
    Column("name", Text, primary_key=True),
    Column("revision", BigId, nullable=False),
)

# Who did what.
audit = Table(
    "audit",
    metadata,
    make_id(),
    Column("done_at", UtcTime, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", JSON, nullable=False),
    Column("address", Text, comment="where it came from; null: nobody knows"),
    Index("audit_done_idx", "done_at", "id"),
    Index("audit_actor_idx", "actor", "id"),
    Index("audit_action_idx", "action", "id"),
    sqlite_autoincrement=True,
)

# The people who use the pages; deactivated ones stay, because what they did names them.
members = Table(
    "members",
    metadata,
    make_id(),
    Column("name", Text, nullable=False),
    Column("name_key", Text, nullable=False, unique=True, comment="folded: without case"),
    Column("role", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("password_hash", Text, comment="null: none was chosen yet"),
    Column("created_at", UtcTime, nullable=False),
    Column("last_seen_at", UtcTime),
    sqlite_autoincrement=True,
)

sessions = Table(
    "sessions",
    metadata,
    make_id(),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("member_id", BigId, ForeignKey("members.id", ondelete="CASCADE"), nullable=False),
    Column("user_agent", Text, nullable=False, comment="cut to a length"),
    Column("address", Text, nullable=False, comment="where it began"),
    Column("created_at", UtcTime, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("proof", LargeBinary, comment="of ADMIN_PASSWORD where that opened it"),
    Index("sessions_member_idx", "member_id"),
    Index("sessions_expires_idx", "expires_at"),
    sqlite_autoincrement=True,
)

login_links = Table(
    "login_links",
    metadata,
    make_id(),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("kind", Text, nullable=False, comment="login, or invitation: to choose a password"),
    Column("name", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("used_at", UtcTime),
    Column("member_id", BigId, ForeignKey("members.id", ondelete="CASCADE")),
    Index("login_links_expires_idx", "expires_at"),
    Index("login_links_member_idx", "member_id"),
    sqlite_autoincrement=True,
)

# Failed passwords, counted by name, by address, by both, and in total.
sign_in_failures = Table(
    "sign_in_failures",
    metadata,
    Column("who", LargeBinary, primary_key=True, comment="a digest"),
    Column("count", Integer, nullable=False),
    Column("last_at", UtcTime, nullable=False),
    Index("sign_in_failures_last_idx", "last_at"),
)
