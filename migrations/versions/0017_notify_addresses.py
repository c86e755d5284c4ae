"""The addresses that notifications go to."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.BigInteger().with_variant(sa.DateTime(timezone=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "notify_addresses",
        sa.Column("id", BIG_ID, sa.Identity(always=False), primary_key=True),
        sa.Column("source", sa.Text(), nullable=False, comment="page, or settings: from NOTIFY"),
        sa.Column("digest", sa.LargeBinary(), nullable=False, unique=True, comment="keyed"),
        sa.Column("sealed", sa.LargeBinary(), comment="null where the address stands in NOTIFY"),
        sa.Column("kind", sa.Text(), nullable=False, comment="the service, as in mailto"),
        sa.Column("tail", sa.Text(), nullable=False, comment="the last characters"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("alerts", sa.Boolean(), nullable=False),
        sa.Column("texts", sa.Boolean(), nullable=False),
        sa.Column("numbers", sa.JSON(), nullable=False, comment="whose texts; [] is all"),
        sa.Column("quiet_from", sa.Text(), comment="HH:MM in zone"),
        sa.Column("quiet_until", sa.Text()),
        sa.Column("summary_at", sa.Text(), comment="HH:MM in zone"),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("summary_on", sa.Text(), comment="the local day of the last summary"),
        sa.Column("alerts_after", BIG_ID, nullable=False, comment="the last event that was told"),
        sa.Column("texts_after", BIG_ID, nullable=False),
        sa.Column("is_test_due", sa.Boolean(), nullable=False),
        sa.Column(
            "failures", sa.Integer(), nullable=False, comment="in a row, with one in progress"
        ),
        sa.Column("next_at", TIME, comment="not before, after a failure"),
        sa.Column("sent_at", TIME),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sqlite_autoincrement=True,
    )
