"""Drafts: what somebody has begun to write."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.BigInteger().with_variant(sa.DateTime(timezone=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "drafts",
        sa.Column("conversation_id", BIG_ID, primary_key=True, autoincrement=False),
        sa.Column("owner", sa.Text(), primary_key=True, comment="as the audit trail names them"),
        sa.Column("fields", sa.JSON(), nullable=False, comment="the form's, by name"),
        sa.Column("updated_at", TIME, nullable=False),
    )
    op.create_index("drafts_updated_idx", "drafts", ["updated_at"])
