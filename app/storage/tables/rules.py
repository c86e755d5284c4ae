"""The tables of rules and opt-outs."""

from sqlalchemy import JSON, Boolean, Column, Index, Integer, LargeBinary, Table, Text

from app.storage.db.columns import BigId, UtcTime, add_partial_index, make_id, metadata

# The rules of automatic replies. Times of day are "HH:MM" in the rule's zone.
rules = Table(
    "rules",
    metadata,
    make_id(),
    Column("name", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("position", Integer, nullable=False),
    Column("dest", Text),
    Column("keyword", Text),
    Column("contains", Text),
    Column("pattern", Text),
    Column("source_prefix", Text),
    Column("days", JSON),
    Column("from_time", Text),
    Column("to_time", Text),
    Column("timezone", Text, nullable=False),
    Column("valid_from", UtcTime),
    Column("valid_until", UtcTime),
    Column("cooldown_seconds", Integer, nullable=False),
    Column("source", Text),
    Column("reply", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Index("rules_position_idx", "position", "id"),
    sqlite_autoincrement=True,
)

# Who wants no texts from us. A number that opted back in keeps its row, so that an older STOP
# handled later changes nothing.
opt_outs = Table(
    "opt_outs",
    metadata,
    make_id(),
    Column("number_key", LargeBinary, nullable=False, unique=True),
    Column("number", Text, nullable=False),
    Column("is_out", Boolean, nullable=False),
    Column("reason", Text, nullable=False, comment="keyword, provider or person"),
    Column("text", Text, nullable=False),
    Column("message_id", BigId),
    Column("created_at", UtcTime, nullable=False, comment="when the number said so"),
    sqlite_autoincrement=True,
)
add_partial_index("opt_outs_out_idx", opt_outs, ["id"], "is_out")
