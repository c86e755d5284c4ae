"""Members: sessions and links belong to one. Those of typed names end, which proved nobody."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.BigInteger().with_variant(sa.DateTime(timezone=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "members",
        sa.Column("id", BIG_ID, sa.Identity(always=False), primary_key=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "name_key", sa.Text(), unique=True, nullable=False, comment="folded: without case"
        ),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), comment="null: none was chosen yet"),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("last_seen_at", TIME),
        sqlite_autoincrement=True,
    )
    op.drop_table("sessions")
    op.drop_table("login_links")
    _create_sessions()
    _create_links()


def _create_sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", BIG_ID, sa.Identity(always=False), primary_key=True),
        sa.Column("digest", sa.LargeBinary(), unique=True, nullable=False),
        _refer_to_member(nullable=False),
        sa.Column("user_agent", sa.Text(), nullable=False, comment="cut to a length"),
        sa.Column("address", sa.Text(), nullable=False, comment="where it began"),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("proof", sa.LargeBinary(), comment="of ADMIN_PASSWORD where that opened it"),
        sqlite_autoincrement=True,
    )
    op.create_index("sessions_member_idx", "sessions", ["member_id"])
    op.create_index("sessions_expires_idx", "sessions", ["expires_at"])


def _create_links() -> None:
    op.create_table(
        "login_links",
        sa.Column("id", BIG_ID, sa.Identity(always=False), primary_key=True),
        sa.Column("digest", sa.LargeBinary(), unique=True, nullable=False),
        sa.Column(
            "kind", sa.Text(), nullable=False, comment="login, or invitation: to choose a password"
        ),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("used_at", TIME),
        _refer_to_member(nullable=True),
        sqlite_autoincrement=True,
    )
    op.create_index("login_links_expires_idx", "login_links", ["expires_at"])
    op.create_index("login_links_member_idx", "login_links", ["member_id"])


def _refer_to_member(*, nullable: bool) -> sa.Column[int]:
    return sa.Column(
        "member_id", BIG_ID, sa.ForeignKey("members.id", ondelete="CASCADE"), nullable=nullable
    )
