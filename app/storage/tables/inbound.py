"""The tables of inbound messages; `migrations/` creates them, and a test compares."""

from sqlalchemy import JSON, Boolean, Column, Index, Integer, LargeBinary, Table, Text

from app.storage.db.columns import BigId, UtcTime, add_partial_index, make_id, metadata

# Only what the acknowledgement needs, because every forward waits for this insert. What searches
# need is in message_index, filled by the handle flow. Ids are in commit order.
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
# At most one forward repeats a text from the report.
add_partial_index(
    "messages_duplicate_idx", messages, ["duplicate_of"], "duplicate_of IS NOT NULL", unique=True
)

# What messages are searched by. Keys are digests: PostgreSQL refuses index entries over 2.7 KB, and
# a message that cannot be indexed would block the queue.
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

# The span of received_at for each 1024 ids, so that since/until need not read the whole table.
message_blocks = Table(
    "message_blocks",
    metadata,
    Column("block", BigId, primary_key=True, autoincrement=False),
    Column("first_received_at", UtcTime, nullable=False),
    Column("last_received_at", UtcTime, nullable=False),
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

# When each of our numbers was last texted: a long silence raises an alert.
number_last_seen = Table(
    "number_last_seen",
    metadata,
    Column("dest_key", LargeBinary, primary_key=True),
    Column("dest", Text, nullable=False),
    Column("last_arrived_at", UtcTime, nullable=False),
)
