"""Sessions of the pages, links that open one, and passwords that were wrong."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.BigInteger().with_variant(sa.DateTime(timezone=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", BIG_ID, sa.Identity(always=False), primary_key=True),
        sa.Column("digest", sa.LargeBinary(), unique=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("user_agent", sa.Text(), nullable=False, comment="cut to a length"),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("sessions_name_idx", "sessions", ["name"])
    op.create_index("sessions_expires_idx", "sessions", ["expires_at"])
    op.create_table(
        "login_links",
        sa.Column("id", BIG_ID, sa.Identity(always=False), primary_key=True),
        sa.Column("digest", sa.LargeBinary(), unique=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("used_at", TIME),
        sqlite_autoincrement=True,
    )
    op.create_index("login_links_expires_idx", "login_links", ["expires_at"])
    op.create_table(
        "password_attempts",
        sa.Column("id", BIG_ID, sa.Identity(always=False), primary_key=True),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("tried_at", TIME, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("password_attempts_tried_idx", "password_attempts", ["tried_at"])
