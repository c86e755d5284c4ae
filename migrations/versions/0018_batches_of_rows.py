"""Batches are made of rows, and are one row in the outbox; saved replies; notes in histories."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.BigInteger().with_variant(sa.DateTime(timezone=True), "postgresql")
COUNTS = (
    ("total", "rows, or texts"),
    ("bad", None),
    ("opted_out", "of the good rows"),
    ("parts", "of who gets a text"),
    ("credits", None),
    ("queued", "texts made of rows"),
    ("last_row", "looked at so far"),
)
INDEXES = (
    ("outbound_batch_idx", ["batch_id", "status"], "batch_id IS NOT NULL"),
    ("outbound_batch_created_idx", ["batch_id", "created_at", "id"], "batch_id IS NOT NULL"),
    ("outbound_leads_idx", ["created_at", "id"], "batch_place IS NULL OR batch_place = 1"),
    (
        "outbound_scheduled_idx",
        ["schedule_at", "id"],
        "schedule_at IS NOT NULL AND batch_id IS NULL",
    ),
)
# One request made all texts of a batch, with ids in a row.
NUMBER_TEXTS = """
UPDATE outbound SET batch_place = 1 + id -
  (SELECT min(first.id) FROM outbound AS first WHERE first.batch_id = outbound.batch_id)
WHERE batch_id IS NOT NULL
"""
DESCRIBE = """
UPDATE batches SET
  source = (SELECT source FROM outbound WHERE batch_id = batches.id AND batch_place = 1),
  body = (SELECT body FROM outbound WHERE batch_id = batches.id AND batch_place = 1),
  schedule_at = (SELECT schedule_at FROM outbound WHERE batch_id = batches.id AND batch_place = 1),
  schedule_by = (SELECT schedule_by FROM outbound WHERE batch_id = batches.id AND batch_place = 1),
  total = (SELECT count(*) FROM outbound WHERE batch_id = batches.id),
  queued = (SELECT count(*) FROM outbound WHERE batch_id = batches.id)
"""


def upgrade() -> None:
    op.add_column(
        "outbound", sa.Column("batch_place", sa.Integer(), comment="its place in its batch, from 1")
    )
    add_columns()
    create_index("batches_open_idx", "batches", ["id"], "state NOT IN ('done', 'cancelled')")
    op.create_index("batches_created_idx", "batches", ["created_at", "id"])
    name, columns, where = INDEXES[0]
    create_index(name, "outbound", columns, where)
    op.execute(NUMBER_TEXTS)
    op.execute(DESCRIBE)
    for name, columns, where in INDEXES[1:]:
        create_index(name, "outbound", columns, where)
    create_tables()
    op.add_column(
        "status_changes",
        sa.Column("note", sa.Text(), comment="what else changed than the status"),
    )


def add_columns() -> None:
    comment = "loading, draft, queueing, done, cancelling or cancelled"
    columns: tuple[sa.Column[Any], ...] = (
        sa.Column("state", sa.Text(), nullable=False, server_default="done", comment=comment),
        sa.Column(
            "name",
            sa.Text(),
            nullable=False,
            server_default="",
            comment="of the file, if it was one",
        ),
        sa.Column("source", sa.Text()),
        sa.Column("body", sa.Text(), comment="with its placeholders, if it has rows"),
        sa.Column("schedule_at", TIME),
        sa.Column("schedule_by", sa.Text()),
        sa.Column(
            "options", sa.JSON(), comment="source_ton, validity_seconds, reference, metadata"
        ),
        sa.Column("columns", sa.JSON(), comment="the headings of its rows; null: it has no rows"),
        sa.Column("number_column", sa.Integer()),
        sa.Column("forced", sa.Boolean(), comment="also to numbers that have opted out"),
        *(
            sa.Column(name, sa.Integer(), nullable=False, server_default="0", comment=comment)
            for name, comment in COUNTS
        ),
        sa.Column("cancelled_by", sa.Text()),
    )
    for column in columns:
        op.add_column("batches", column)


def create_index(name: str, table: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, sqlite_where=condition, postgresql_where=condition)


def create_tables() -> None:
    op.create_table(
        "batch_rows",
        sa.Column("batch_id", BIG_ID, primary_key=True, autoincrement=False),
        sa.Column("place", sa.Integer(), primary_key=True, autoincrement=False, comment="from 1"),
        sa.Column("line", sa.Integer(), nullable=False, comment="as a spreadsheet counts its rows"),
        sa.Column("cells", sa.JSON(), nullable=False),
        sa.Column("number", sa.Text(), comment="null where the row has none that can be texted"),
        sa.Column("parts", sa.Integer(), nullable=False),
        sa.Column("is_opted_out", sa.Boolean(), nullable=False),
        sa.Column("fault", sa.Text(), comment="a code; null: the row is good"),
        sa.Column("fault_text", sa.Text()),
        sa.Column("outbound_id", BIG_ID),
    )
    op.create_table(
        "saved_replies",
        sa.Column("id", BIG_ID, sa.Identity(always=False), primary_key=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sqlite_autoincrement=True,
    )
