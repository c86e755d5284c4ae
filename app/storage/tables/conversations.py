"""The tables of conversations, of the people in them, and of contacts being imported."""

from sqlalchemy import JSON, Boolean, Column, Index, Integer, LargeBinary, Table, Text, false, text

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
    Column("last_message_id", BigId, comment="null where only we have written"),
    Column("last_arrived_at", UtcTime),
    Column("unread", Integer, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column(
        "state",
        Text,
        nullable=False,
        server_default=text("'open'"),
        comment="open or done; done as well while only we have written",
    ),
    Column(
        "awaits_answer",
        Boolean,
        nullable=False,
        server_default=false(),
        comment="the last word is theirs: a text came in and no person has written since",
    ),
    Column("assigned_to", BigId, comment="a member"),
    Column(
        "in_batch",
        Boolean,
        nullable=False,
        server_default=false(),
        comment="our last text was one of many",
    ),
    # The last column is in it for the views of what was received, the largest by far.
    Index("conversations_updated_idx", "updated_at", "id", "last_message_id"),
    Index("conversations_dest_idx", "dest_key", "updated_at", "id"),
    Index("conversations_source_idx", "source_key"),
    Index("conversations_state_idx", "state", "updated_at", "id"),
    sqlite_autoincrement=True,
)
# Each text moves its conversation in every index that has `updated_at`, so there are few of them.
add_partial_index(
    "conversations_unread_idx", conversations, ["updated_at", "id", "dest_key"], "unread > 0"
)
# The views of the inbox. Where only we have written, a conversation is in none but "sent".
add_partial_index(
    "conversations_answer_idx",
    conversations,
    ["updated_at", "id"],
    "awaits_answer AND state = 'open'",
)
add_partial_index(
    "conversations_assigned_idx",
    conversations,
    ["assigned_to", "state", "updated_at", "id"],
    "assigned_to IS NOT NULL",
)
add_partial_index(
    "conversations_sent_idx",
    conversations,
    ["updated_at", "id"],
    "last_message_id IS NULL AND NOT in_batch",
)

# What members write to each other in a conversation; it is never sent.
conversation_notes = Table(
    "conversation_notes",
    metadata,
    make_id(),
    Column("conversation_id", BigId, nullable=False),
    Column("author", Text, nullable=False, comment="as the audit trail names them"),
    Column("body", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Index("conversation_notes_conversation_idx", "conversation_id", "id"),
    sqlite_autoincrement=True,
)

# A card for each number that has a name or notes. The name that is shown is the first of the three
# that is not empty.
people = Table(
    "people",
    metadata,
    make_id(),
    Column("number_key", LargeBinary, nullable=False, unique=True),
    Column("number", Text, nullable=False),
    Column("typed_name", Text, nullable=False, comment="by a member or a program"),
    Column("merge_name", Text, nullable=False, comment="of their newest text that had one"),
    Column("merge_named_at", UtcTime, comment="when that text arrived"),
    Column("contact_name", Text, nullable=False, comment="in the provider's address book"),
    Column("notes", Text, nullable=False),
    Column("search_text", Text, nullable=False, comment="the name and number, folded"),
    sqlite_autoincrement=True,
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
