"""Webhooks, and what is delivered to them."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.BigInteger().with_variant(sa.DateTime(timezone=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", BIG_ID, sa.Identity(always=False), primary_key=True),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("types", sa.Text(), nullable=False, comment="separated by spaces"),
        sa.Column("numbers", sa.JSON(), nullable=False, comment="our numbers; empty for all"),
        sa.Column("ordered", sa.Boolean(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column(
            "salt", sa.LargeBinary(), nullable=False, comment="its secret is derived from this"
        ),
        sa.Column("secret_digest", sa.LargeBinary(), nullable=False),
        sa.Column("old_salt", sa.LargeBinary()),
        sa.Column("old_salt_until", TIME),
        sa.Column(
            "position", BIG_ID, nullable=False, comment="events up to this one are dealt with"
        ),
        sa.Column("revision", sa.Integer(), nullable=False, comment="counts changes by people"),
        sa.Column("holder", sa.Text()),
        sa.Column("lease_until", TIME),
        sa.Column("failing_since", TIME, comment="the first failure since the last success"),
        sa.Column("resume_at", TIME, comment="it asked to be left alone until then"),
        sa.Column("disabled_at", TIME),
        sa.Column("disabled_reason", sa.Text()),
        sa.Column("last_message_id", sa.Text(), comment="of the newest attempt"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", BIG_ID, sa.Identity(always=False), primary_key=True),
        sa.Column("webhook_id", BIG_ID, nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False, comment="the header webhook-id"),
        sa.Column("event_id", BIG_ID, nullable=False, comment="0 for a test"),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("order_key", sa.Text(), nullable=False, comment="what is kept in order"),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, comment="waiting, delivered or failed"),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("happened_at", TIME, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("attempted_at", TIME),
        sa.Column("due_at", TIME),
        sa.Column("status", sa.Integer(), comment="the HTTP status of the last answer"),
        sa.Column("answer", sa.Text(), nullable=False, comment="the beginning of its body"),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("milliseconds", sa.Integer(), comment="how long the last attempt took"),
        sqlite_autoincrement=True,
    )
    table = "webhook_deliveries"
    op.create_index(f"{table}_message_idx", table, ["webhook_id", "message_id"], unique=True)
    op.create_index(f"{table}_state_idx", table, ["webhook_id", "state", "id"])
    op.create_index(f"{table}_newest_idx", table, ["webhook_id", "id"])
    waiting = sa.text("state = 'waiting'")
    for name, columns in (
        ("due", ["webhook_id", "due_at"]),
        ("order", ["webhook_id", "order_key", "event_id", "id"]),
    ):
        op.create_index(
            f"{table}_{name}_idx",
            table,
            columns,
            postgresql_where=waiting,
            sqlite_where=waiting,
        )
