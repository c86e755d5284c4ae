"""Erasures, tombstones, and a secret that only processes with the API key can read."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.BigInteger().with_variant(sa.DateTime(timezone=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "erasures",
        sa.Column("id", BIG_ID, sa.Identity(always=False), primary_key=True),
        sa.Column("number_digest", sa.LargeBinary(), nullable=False, comment="keyed"),
        sa.Column("tail", sa.Text(), nullable=False, comment="the last three digits"),
        sa.Column("sealed", sa.LargeBinary(), comment="the number; null once it is finished"),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("asked_at", TIME, nullable=False),
        sa.Column("finished_at", TIME),
        sa.Column("obstacle", sa.Text(), comment="why it is not finished yet"),
        sa.Column("removed", sa.JSON(), nullable=False, comment="{place: {removed, changed}}"),
        sa.Column("scan", sa.JSON(), comment="what the scan afterwards looked at, and found"),
        sqlite_autoincrement=True,
    )
    op.create_index("erasures_digest_idx", "erasures", ["number_digest", "id"])
    op.create_table(
        "tombstones",
        sa.Column("id", BIG_ID, sa.Identity(always=False), primary_key=True),
        sa.Column("kind", sa.Text(), nullable=False, comment="message or sent"),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column(
            "identity_digest", sa.LargeBinary(), comment="of dest, source and the provider's id"
        ),
        sa.Column("text_digest", sa.LargeBinary(), comment="of dest, source and text"),
        sa.Column("via", sa.Text(), comment="how the message came"),
        sa.Column("received_at", TIME),
        sa.Column("created_at", TIME, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("tombstones_digest_idx", "tombstones", ["kind", "digest"], unique=True)
    op.create_index("tombstones_identity_idx", "tombstones", ["identity_digest"])
    op.create_index("tombstones_text_idx", "tombstones", ["text_digest"])
    op.create_index("tombstones_created_idx", "tombstones", ["created_at"])
    op.add_column(
        "shared_secrets",
        sa.Column("sealed", sa.LargeBinary(), comment="readable with the API key; null: not kept"),
    )
