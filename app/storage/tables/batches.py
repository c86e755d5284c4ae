"""The tables of batches: texts to many, and their rows."""

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Index,
    Integer,
    Table,
    Text,
)

from app.storage.db.columns import BigId, UtcTime, add_partial_index, make_id, metadata

# Texts to many. Of those that come as rows, `batch_rows` keeps each row, and the texts are queued
# some rows at a time once somebody has approved all of them.
batches = Table(
    "batches",
    metadata,
    make_id(),
    Column("created_by", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column(
        "state",
        Text,
        nullable=False,
        server_default="done",
        comment="loading, draft, queueing, done, cancelling or cancelled",
    ),
    Column("name", Text, nullable=False, server_default="", comment="of the file, if it was one"),
    Column("source", Text),
    Column("body", Text, comment="with its placeholders, if it has rows"),
    Column("schedule_at", UtcTime),
    Column("schedule_by", Text),
    Column("options", JSON, comment="source_ton, validity_seconds, reference, metadata"),
    Column("columns", JSON, comment="the headings of its rows; null: it has no rows"),
    Column("number_column", Integer),
    Column("forced", Boolean, comment="also to numbers that have opted out"),
    Column("total", Integer, nullable=False, server_default="0", comment="rows, or texts"),
    Column("bad", Integer, nullable=False, server_default="0"),
    Column("opted_out", Integer, nullable=False, server_default="0", comment="of the good rows"),
    Column("parts", Integer, nullable=False, server_default="0", comment="of who gets a text"),
    Column("credits", Integer, nullable=False, server_default="0"),
    Column("queued", Integer, nullable=False, server_default="0", comment="texts made of rows"),
    Column("last_row", Integer, nullable=False, server_default="0", comment="looked at so far"),
    Column("cancelled_by", Text),
    Index("batches_created_idx", "created_at", "id"),
    sqlite_autoincrement=True,
)
add_partial_index("batches_open_idx", batches, ["id"], "state NOT IN ('done', 'cancelled')")

batch_rows = Table(
    "batch_rows",
    metadata,
    Column("batch_id", BigId, primary_key=True, autoincrement=False),
    Column("place", Integer, primary_key=True, autoincrement=False, comment="from 1"),
    Column("line", Integer, nullable=False, comment="as a spreadsheet counts its rows"),
    Column("cells", JSON, nullable=False),
    Column("number", Text, comment="null where the row has none that can be texted"),
    Column("parts", Integer, nullable=False),
    Column("is_opted_out", Boolean, nullable=False),
    Column("fault", Text, comment="a code; null: the row is good"),
    Column("fault_text", Text),
    Column("outbound_id", BigId),
)
