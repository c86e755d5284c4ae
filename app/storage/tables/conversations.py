"""The tables of conversations and of contacts being imported."""

from sqlalchemy import JSON, Boolean, Column, Index, Integer, LargeBinary, Table, Text

from app.storage.db.columns import BigId, UtcTime, add_partial_index, make_id, metadata

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

# Imports into the provider's address book. `contacts` are the lines still to be sent.
contact_imports = Table(
    "contact_imports",
    metadata,
    make_id(),
    Column("actor", Text, nullable=False),
    Column("ignore_duplicates", Boolean, nullable=False),
    Column("overwrite_duplicates", Boolean, nullable=False),
    Column("contacts", JSON, nullable=False, comment="[line, name, number, email, [group, ...]]"),
    Column("total", Integer, nullable=False),
    Column("results", JSON, nullable=False, comment="[line, result, detail]"),
    Column("error", Text, comment="why it stopped"),
    Column("lease_until", UtcTime, comment="while a process is at it"),
    Column("created_at", UtcTime, nullable=False),
    Column("finished_at", UtcTime),
    Index("contact_imports_created_idx", "created_at"),
    sqlite_autoincrement=True,
)

# What somebody has begun to write. Conversation 0 stands for a new message.
drafts = Table(
    "drafts",
    metadata,
    Column("conversation_id", BigId, primary_key=True, autoincrement=False),
    Column("owner", Text, primary_key=True, comment="as the audit trail names them"),
    Column("fields", JSON, nullable=False, comment="the form's, by name"),
    Column("updated_at", UtcTime, nullable=False),
    Index("drafts_updated_idx", "updated_at"),
)
