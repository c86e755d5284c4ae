"""The tables as the code sees them; `migrations/` is what makes them (a test compares the two)."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    text,
)
from sqlalchemy.types import TypeEngine

metadata = MetaData()

# SQLite gives 64-bit row ids to INTEGER alone.
BigId = BigInteger().with_variant(Integer(), "sqlite")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_microseconds(time: datetime) -> int:
    """Microseconds since 1970 UTC: how SQLite keeps a time."""
    return (time - _EPOCH) // _MICROSECOND


class UtcTime(TypeDecorator[datetime]):
    """An aware UTC time: timestamptz on PostgreSQL, whole microseconds on SQLite."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(DateTime(timezone=True))
        return dialect.type_descriptor(BigInteger())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None or dialect.name == "postgresql":
            return value
        return to_microseconds(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002 SQLAlchemy's signature
        if value is None:
            return None
        if isinstance(value, datetime):
            return value.astimezone(UTC)
        return _EPOCH + timedelta(microseconds=value)


def _id() -> Column[int]:
    return Column("id", BigId, Identity(always=False), primary_key=True)


# The hot table: only what the acknowledgement needs. What people search by is in message_index,
# which the handle flow feeds. Ids are in commit order (see storage/inbound.py).
messages = Table(
    "messages",
    metadata,
    _id(),
    Column("dedupe_key", LargeBinary, nullable=False, unique=True),
    Column("provider_id", Text),
    Column("source", Text, nullable=False),
    Column("dest", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("received_at", UtcTime, nullable=False),
    Column("received_raw", Text),
    Column("arrived_at", UtcTime, nullable=False),
    Column("stored_at", UtcTime, nullable=False),
    Column("via", Text, nullable=False),
    Column("merge_fields", JSON, nullable=False),
    Column("extra", JSON, nullable=False),
    Column("problems", Text, nullable=False, comment="codes with a space between, or empty"),
    Column("raw", LargeBinary, nullable=False),
    Column("read_at", UtcTime),
    Column("handled_at", UtcTime),
    sqlite_autoincrement=True,
)
Index(
    "messages_unhandled_idx",
    messages.c.id,
    postgresql_where=text("handled_at IS NULL"),
    sqlite_where=text("handled_at IS NULL"),
)

# What people find messages by. Keys are digests or cut to a length: PostgreSQL refuses an index
# entry of 2.7 KB, and a message that can never be indexed would block the queue.
message_index = Table(
    "message_index",
    metadata,
    Column("message_id", BigId, primary_key=True, autoincrement=False),
    Column("conversation_id", BigId, nullable=False),
    Column("source_key", LargeBinary, nullable=False),
    Column("dest_key", LargeBinary, nullable=False),
    Column("identity_key", LargeBinary, nullable=False, comment="digest of dest, source and id"),
    Column("via", Text, nullable=False),
    Column("unread", Boolean, nullable=False),
    Column("has_problems", Boolean, nullable=False),
    Index("message_index_conversation_idx", "conversation_id", "message_id"),
    Index("message_index_source_idx", "source_key", "message_id"),
    Index("message_index_dest_idx", "dest_key", "message_id"),
    Index("message_index_identity_idx", "identity_key", "message_id"),
    Index("message_index_via_idx", "via", "message_id"),
)
for _name in ("unread", "has_problems"):
    Index(
        f"message_index_{_name}_idx",
        message_index.c.message_id,
        postgresql_where=text(_name),
        sqlite_where=text(_name),
    )

# For each 1024 ids the span of received_at, so that since/until need not walk the whole table.
message_blocks = Table(
    "message_blocks",
    metadata,
    Column("block", BigId, primary_key=True, autoincrement=False),
    Column("first_received_at", UtcTime, nullable=False),
    Column("last_received_at", UtcTime, nullable=False),
)

conversations = Table(
    "conversations",
    metadata,
    _id(),
    Column("pair_key", LargeBinary, nullable=False, unique=True),
    Column("dest_key", LargeBinary, nullable=False),
    Column("source_key", LargeBinary, nullable=False),
    Column("dest", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("last_message_id", BigId, nullable=False),
    Column("last_arrived_at", UtcTime, nullable=False),
    Column("unread", Integer, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Index("conversations_updated_idx", "updated_at", "id"),
    Index("conversations_dest_idx", "dest_key", "updated_at", "id"),
    Index("conversations_source_idx", "source_key", "updated_at", "id"),
    sqlite_autoincrement=True,
)
for _name, _columns in {
    "conversations_unread_idx": ("updated_at", "id"),
    "conversations_dest_unread_idx": ("dest_key", "updated_at", "id"),
}.items():
    Index(
        _name,
        *(conversations.c[_column] for _column in _columns),
        postgresql_where=text("unread > 0"),
        sqlite_where=text("unread > 0"),
    )

numbers = Table(
    "numbers",
    metadata,
    _id(),
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
    _id(),
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
    _id(),
    Column("name", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("scopes", Text, nullable=False, comment="with a space between"),
    Column("created_at", UtcTime, nullable=False),
    Column("last_used_at", UtcTime),
    sqlite_autoincrement=True,
)

# Secrets that every process must share: their digests show when two machines made their own.
shared_secrets = Table(
    "shared_secrets",
    metadata,
    Column("name", Text, primary_key=True),
    Column("digest", LargeBinary, nullable=False),
)

# One row whose number grows with every change of what processes keep in memory (numbers, auths).
revisions = Table(
    "revisions",
    metadata,
    Column("name", Text, primary_key=True),
    Column("revision", BigId, nullable=False),
)

refusals = Table(
    "refusals",
    metadata,
    _id(),
    Column("refused_at", UtcTime, nullable=False),
    Column("address", Text, nullable=False),
    Column("dest", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("count", Integer, nullable=False),
    sqlite_autoincrement=True,
)

alerts = Table(
    "alerts",
    metadata,
    _id(),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("count", Integer, nullable=False),
    Column("opened_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("closed_at", UtcTime),
    sqlite_autoincrement=True,
)
Index(
    "alerts_open_idx",
    alerts.c.kind,
    alerts.c.subject,
    unique=True,
    postgresql_where=text("closed_at IS NULL"),
    sqlite_where=text("closed_at IS NULL"),
)

# What GET /events streams, in commit order; rows older than seven days go.
events = Table(
    "events",
    metadata,
    _id(),
    Column("kind", Text, nullable=False),
    Column("subject_id", BigId, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Index("events_created_idx", "created_at"),
    sqlite_autoincrement=True,
)

daily_counts = Table(
    "daily_counts",
    metadata,
    Column("day", Text, primary_key=True, comment="YYYY-MM-DD of arrived_at in UTC"),
    Column("dest_key", LargeBinary, primary_key=True),
    Column("dest", Text, nullable=False),
    Column("received", BigInteger, nullable=False),
    Column("with_problems", BigInteger, nullable=False),
)

# Who is running, and what may lie in a spool that only they can reach.
processes = Table(
    "processes",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
    Column("spool_depth", Integer, nullable=False),
)
