"""The tables of what comes in, as the code sees them; `migrations/` makes them, a test compares."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
)

from app.storage.columns import BigId, UtcTime, add_partial_index, make_id, metadata

# The hot table: only what the acknowledgement needs. What people search by is in message_index,
# which the handle flow feeds. Ids are in commit order (see storage/inbound.py).
messages = Table(
    "messages",
    metadata,
    make_id(),
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
    Column("outcome", Text, comment="why it was or was not answered by itself"),
    Column("rule_id", BigId, comment="the rule that the outcome speaks of; it may be gone"),
    Column("duplicate_of", BigId, comment="the message from the report that this one repeats"),
    sqlite_autoincrement=True,
)
add_partial_index("messages_unhandled_idx", messages, ["id"], "handled_at IS NULL")
# A text from the report is repeated by one forward at most.
add_partial_index(
    "messages_duplicate_idx", messages, ["duplicate_of"], "duplicate_of IS NOT NULL", unique=True
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
    Column("provider_key", LargeBinary, comment="digest of the provider's id"),
    Index("message_index_conversation_idx", "conversation_id", "message_id"),
    Index("message_index_source_idx", "source_key", "message_id"),
    Index("message_index_dest_idx", "dest_key", "message_id"),
    Index("message_index_identity_idx", "identity_key", "message_id"),
    Index("message_index_via_idx", "via", "message_id"),
)
for _name in ("unread", "has_problems"):
    add_partial_index(f"message_index_{_name}_idx", message_index, ["message_id"], _name)
add_partial_index(
    "message_index_provider_idx",
    message_index,
    ["provider_key", "message_id"],
    "provider_key IS NOT NULL",
)
add_partial_index(
    "message_index_reported_idx",
    message_index,
    ["conversation_id", "message_id"],
    "via = 'report'",
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
    make_id(),
    Column("pair_key", LargeBinary, nullable=False, unique=True),
    Column("dest_key", LargeBinary, nullable=False),
    Column("source_key", LargeBinary, nullable=False),
    Column("dest", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("last_message_id", BigId, comment="null where only we have written"),
    Column("last_arrived_at", UtcTime),
    Column("unread", Integer, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Index("conversations_updated_idx", "updated_at", "id"),
    Index("conversations_dest_idx", "dest_key", "updated_at", "id"),
    Index("conversations_source_idx", "source_key", "updated_at", "id"),
    sqlite_autoincrement=True,
)
add_partial_index("conversations_unread_idx", conversations, ["updated_at", "id"], "unread > 0")
add_partial_index(
    "conversations_dest_unread_idx",
    conversations,
    ["dest_key", "updated_at", "id"],
    "unread > 0",
)

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

# Rows of before a change of how they are kept: how far they have been brought up to date. A name
# is gone once nothing is left to do.
refills = Table(
    "refills",
    metadata,
    Column("name", Text, primary_key=True),
    Column("position", BigInteger, nullable=False, comment="this row and those before wait"),
)

refusals = Table(
    "refusals",
    metadata,
    make_id(),
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
    make_id(),
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
add_partial_index("alerts_open_idx", alerts, ["kind", "subject"], "closed_at IS NULL", unique=True)

# What GET /events streams, in commit order; rows older than seven days go.
events = Table(
    "events",
    metadata,
    make_id(),
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
    Column("runs_workers", Boolean, nullable=False),
)
