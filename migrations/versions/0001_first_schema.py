"""The first schema: messages and what people find them by, numbers, keys, alerts, events."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.BigInteger().with_variant(sa.DateTime(timezone=True), "postgresql")


def upgrade() -> None:
    _create_tables()
    _create_search()
    op.execute("INSERT INTO revisions (name, revision) VALUES ('admission', 1)")


def _create_tables() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", BIG_ID, sa.Identity(always=False), primary_key=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("opened_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("closed_at", TIME),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "alerts_open_idx", "alerts", ["kind", "subject"], unique=True, **_where("closed_at IS NULL")
    )
    op.create_table(
        "api_keys",
        sa.Column("id", BIG_ID, sa.Identity(always=False), primary_key=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False, unique=True),
        sa.Column("scopes", sa.Text(), nullable=False, comment="with a space between"),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("last_used_at", TIME),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "conversations",
        sa.Column("id", BIG_ID, sa.Identity(always=False), primary_key=True),
        sa.Column("pair_key", sa.LargeBinary(), nullable=False, unique=True),
        sa.Column("dest_key", sa.LargeBinary(), nullable=False),
        sa.Column("source_key", sa.LargeBinary(), nullable=False),
        sa.Column("dest", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("last_message_id", BIG_ID, comment="null where only we have written"),
        sa.Column("last_arrived_at", TIME),
        sa.Column("unread", sa.Integer(), nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("conversations_dest_idx", "conversations", ["dest_key", "updated_at", "id"])
    op.create_index(
        "conversations_dest_unread_idx",
        "conversations",
        ["dest_key", "updated_at", "id"],
        **_where("unread > 0"),
    )
    op.create_index("conversations_source_idx", "conversations", ["source_key", "updated_at", "id"])
    op.create_index(
        "conversations_unread_idx", "conversations", ["updated_at", "id"], **_where("unread > 0")
    )
    op.create_index("conversations_updated_idx", "conversations", ["updated_at", "id"])
    op.create_table(
        "daily_counts",
        sa.Column("day", sa.Text(), primary_key=True, comment="YYYY-MM-DD of arrived_at in UTC"),
        sa.Column("dest_key", sa.LargeBinary(), primary_key=True),
        sa.Column("dest", sa.Text(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("with_problems", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "events",
        sa.Column("id", BIG_ID, sa.Identity(always=False), primary_key=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject_id", BIG_ID, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("events_created_idx", "events", ["created_at"])
    op.create_table(
        "message_blocks",
        sa.Column("block", BIG_ID, primary_key=True, autoincrement=False),
        sa.Column("first_received_at", TIME, nullable=False),
        sa.Column("last_received_at", TIME, nullable=False),
    )
    op.create_table(
        "message_index",
        sa.Column("message_id", BIG_ID, primary_key=True, autoincrement=False),
        sa.Column("conversation_id", BIG_ID, nullable=False),
        sa.Column("source_key", sa.LargeBinary(), nullable=False),
        sa.Column("dest_key", sa.LargeBinary(), nullable=False),
        sa.Column(
            "identity_key",
            sa.LargeBinary(),
            nullable=False,
            comment="digest of dest, source and id",
        ),
        sa.Column("via", sa.Text(), nullable=False),
        sa.Column("unread", sa.Boolean(), nullable=False),
        sa.Column("has_problems", sa.Boolean(), nullable=False),
    )
    op.create_index(
        "message_index_conversation_idx", "message_index", ["conversation_id", "message_id"]
    )
    op.create_index("message_index_dest_idx", "message_index", ["dest_key", "message_id"])
    op.create_index(
        "message_index_has_problems_idx", "message_index", ["message_id"], **_where("has_problems")
    )
    op.create_index("message_index_identity_idx", "message_index", ["identity_key", "message_id"])
    op.create_index("message_index_source_idx", "message_index", ["source_key", "message_id"])
    op.create_index("message_index_unread_idx", "message_index", ["message_id"], **_where("unread"))
    op.create_index("message_index_via_idx", "message_index", ["via", "message_id"])
    op.create_table(
        "messages",
        sa.Column("id", BIG_ID, sa.Identity(always=False), primary_key=True),
        sa.Column("dedupe_key", sa.LargeBinary(), nullable=False, unique=True),
        sa.Column("provider_id", sa.Text()),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("dest", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.Column("received_raw", sa.Text()),
        sa.Column("arrived_at", TIME, nullable=False),
        sa.Column("stored_at", TIME, nullable=False),
        sa.Column("via", sa.Text(), nullable=False),
        sa.Column("merge_fields", sa.JSON(), nullable=False),
        sa.Column("extra", sa.JSON(), nullable=False),
        sa.Column(
            "problems", sa.Text(), nullable=False, comment="codes with a space between, or empty"
        ),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("read_at", TIME),
        sa.Column("handled_at", TIME),
        sqlite_autoincrement=True,
    )
    op.create_index("messages_unhandled_idx", "messages", ["id"], **_where("handled_at IS NULL"))
    op.create_table(
        "numbers",
        sa.Column("id", BIG_ID, sa.Identity(always=False), primary_key=True),
        sa.Column("number", sa.Text(), nullable=False, unique=True),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("merge_field_names", sa.JSON(), nullable=False),
        sa.Column("opt_out_reply", sa.Text()),
        sa.Column("created_at", TIME, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "processes",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.Column("spool_depth", sa.Integer(), nullable=False),
        sa.Column("runs_workers", sa.Boolean(), nullable=False),
    )
    op.create_table(
        "refusals",
        sa.Column("id", BIG_ID, sa.Identity(always=False), primary_key=True),
        sa.Column("refused_at", TIME, nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("dest", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "revisions",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("revision", BIG_ID, nullable=False),
    )
    op.create_table(
        "shared_secrets",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "number_auths",
        sa.Column("id", BIG_ID, sa.Identity(always=False), primary_key=True),
        sa.Column(
            "number_id", BIG_ID, sa.ForeignKey("numbers.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("digest", sa.LargeBinary(), nullable=False, unique=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("last_seen_at", TIME),
        sa.Column("expires_at", TIME),
        sqlite_autoincrement=True,
    )
    op.create_index("number_auths_number_idx", "number_auths", ["number_id"])


def _create_search() -> None:
    """Trigrams of the folded bodies; not in tables.py, for each database has its own kind."""
    if op.get_context().dialect.name == "postgresql":
        op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        op.execute(
            "CREATE TABLE message_search (message_id bigint PRIMARY KEY, folded text NOT NULL)"
        )
        op.execute(
            "CREATE INDEX message_search_folded_idx ON message_search"
            " USING gin (folded gin_trgm_ops)"
        )
    else:
        op.execute(
            "CREATE VIRTUAL TABLE message_search USING fts5(folded, content='', columnsize=0,"
            " detail=none, tokenize='trigram case_sensitive 1')"
        )
        op.execute("INSERT INTO message_search (message_search, rank) VALUES ('automerge', 0)")
        op.execute("INSERT INTO message_search (message_search, rank) VALUES ('crisismerge', 2000)")


def _where(condition: str) -> dict[str, Any]:
    return {f"{name}_where": sa.text(condition) for name in ("postgresql", "sqlite")}
