"""Texts of one request to many numbers belong together, and keep no other text waiting."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.BigInteger().with_variant(sa.DateTime(timezone=True), "postgresql")
WAITING = sa.text("status IN ('queued', 'held')")
# What answers by itself goes first; everything else that waits was sent to one number, or cannot
# be told from that.
MOVE_ANSWERS = "UPDATE outbound SET priority = 0 WHERE origin <> 'person' AND settled_at IS NULL"


def upgrade() -> None:
    op.create_table(
        "batches",
        sa.Column("id", BIG_ID, sa.Identity(always=False), primary_key=True),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sqlite_autoincrement=True,
    )
    op.add_column("outbound", sa.Column("batch_id", BIG_ID))
    op.add_column(
        "outbound",
        sa.Column(
            "priority",
            sa.Integer(),
            nullable=False,
            server_default=sa.text("1"),
            comment="0 answers by itself, 1 goes to one number, 2 is one of many",
        ),
    )
    op.execute(MOVE_ANSWERS)
    op.drop_index("outbound_due_idx", "outbound")
    op.create_index(
        "outbound_due_idx",
        "outbound",
        ["priority", "due_at", "id"],
        postgresql_where=WAITING,
        sqlite_where=WAITING,
    )
