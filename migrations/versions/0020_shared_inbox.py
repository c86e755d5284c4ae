"""Conversations are open or done, assigned and annotated; numbers have cards with their names."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from app.domain.keywords import fold_text

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.BigInteger().with_variant(sa.DateTime(timezone=True), "postgresql")
ATTENTION = (
    "attended_at IS NULL AND status IN ('failed', 'undelivered', 'expired', 'uncertain', 'held')"
)
ROWS = 1_000
# A conversation that has been quiet for so long, with nothing unread in it, is done.
_DONE = """
UPDATE conversations SET state = 'done' WHERE last_message_id IS NULL OR (
    unread = 0 AND updated_at < (SELECT max(updated_at) FROM conversations) - {0}
)
"""
MARK_DONE = {
    "sqlite": _DONE.format("30 * 24 * 3600 * 1000000"),
    "postgresql": _DONE.format("interval '30 days'"),
}
MARK_UNANSWERED = """
UPDATE conversations SET awaits_answer = true WHERE last_message_id IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM outbound WHERE outbound.conversation_id = conversations.id
    AND origin = 'person' AND outbound.created_at >= conversations.last_arrived_at
)
"""
MARK_BATCHES = """
UPDATE conversations SET in_batch = true WHERE last_message_id IS NULL AND (
    SELECT batch_id FROM outbound WHERE outbound.conversation_id = conversations.id
    ORDER BY outbound.id DESC LIMIT 1
) IS NOT NULL
"""
# Older failures have been seen, or nobody wanted to.
_OLD = """
UPDATE outbound SET attended_at = created_at WHERE status IN ('failed', 'undelivered', 'expired')
    AND created_at < (SELECT max(created_at) FROM outbound) - {0}
"""
END_OLD_ATTENTION = {
    "sqlite": _OLD.format("14 * 24 * 3600 * 1000000"),
    "postgresql": _OLD.format("interval '14 days'"),
}


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    _create_people()
    _fill_people(op.get_bind())
    _add_states()
    _fill_states(dialect)
    _create_notes()
    op.add_column(
        "outbound",
        sa.Column("attended_at", TIME, comment="when a person had dealt with its failure"),
    )
    op.execute(END_OLD_ATTENTION[dialect])
    _create_index("outbound_attention_idx", "outbound", ["conversation_id", "status"], ATTENTION)
    _create_index("outbound_newest_attention_idx", "outbound", ["id"], ATTENTION)


def _create_people() -> None:
    op.create_table(
        "people",
        sa.Column("id", BIG_ID, sa.Identity(always=False), primary_key=True),
        sa.Column("number_key", sa.LargeBinary(), nullable=False, unique=True),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("typed_name", sa.Text(), nullable=False, comment="by a member or a program"),
        sa.Column(
            "merge_name", sa.Text(), nullable=False, comment="of their newest text that had one"
        ),
        sa.Column("merge_named_at", TIME, comment="when that text arrived"),
        sa.Column(
            "contact_name", sa.Text(), nullable=False, comment="in the provider's address book"
        ),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.Column("search_text", sa.Text(), nullable=False, comment="the name and number, folded"),
        sqlite_autoincrement=True,
    )


def _fill_people(conn: sa.Connection) -> None:
    """The name that each sender's newest conversation with one has; until now each had its own."""
    read = sa.text(
        "SELECT id, source_key, source, name, last_arrived_at FROM conversations"
        " WHERE id > :last AND name <> '' AND source <> '' AND NOT EXISTS ("
        "SELECT 1 FROM conversations AS others WHERE others.source_key = conversations.source_key"
        " AND others.name <> '' AND others.updated_at > conversations.updated_at)"
        " ORDER BY id LIMIT :most"
    )
    add = sa.text(
        "INSERT INTO people (number_key, number, typed_name, merge_name, merge_named_at,"
        " contact_name, notes, search_text)"
        " VALUES (:number_key, :number, '', :name, :named_at, '', '', :search_text)"
        " ON CONFLICT (number_key) DO NOTHING"
    )
    last = 0
    while rows := conn.execute(read, {"last": last, "most": ROWS}).all():
        conn.execute(add, [_describe_person(row) for row in rows])
        last = rows[-1].id


def _describe_person(row: sa.Row[Any]) -> dict[str, Any]:
    return {
        "number_key": row.source_key,
        "number": row.source,
        "name": row.name,
        "named_at": row.last_arrived_at,
        "search_text": fold_text(f"{row.name} {row.source}"),
    }


def _add_states() -> None:
    op.drop_column("conversations", "name")
    columns: tuple[sa.Column[Any], ...] = (
        sa.Column(
            "state",
            sa.Text(),
            nullable=False,
            server_default=sa.text("'open'"),
            comment="open or done; done as well while only we have written",
        ),
        sa.Column(
            "awaits_answer",
            sa.Boolean(),
            nullable=False,
            server_default=sa.false(),
            comment="the last word is theirs: a text came in and no person has written since",
        ),
        sa.Column("assigned_to", BIG_ID, comment="a member"),
        sa.Column(
            "in_batch",
            sa.Boolean(),
            nullable=False,
            server_default=sa.false(),
            comment="our last text was one of many",
        ),
    )
    for column in columns:
        op.add_column("conversations", column)


def _fill_states(dialect: str) -> None:
    """Before the indexes are made, which is quicker."""
    op.execute(MARK_DONE[dialect])
    op.execute(MARK_UNANSWERED)
    op.execute(MARK_BATCHES)
    op.create_index("conversations_state_idx", "conversations", ["state", "updated_at", "id"])
    for name, columns, where in (
        ("received", ["updated_at", "id"], "last_message_id IS NOT NULL"),
        ("answer", ["updated_at", "id"], "awaits_answer AND state = 'open'"),
        ("assigned", ["assigned_to", "state", "updated_at", "id"], "assigned_to IS NOT NULL"),
        ("sent", ["updated_at", "id"], "last_message_id IS NULL AND NOT in_batch"),
    ):
        _create_index(f"conversations_{name}_idx", "conversations", columns, where)


def _create_notes() -> None:
    op.create_table(
        "conversation_notes",
        sa.Column("id", BIG_ID, sa.Identity(always=False), primary_key=True),
        sa.Column("conversation_id", BIG_ID, nullable=False),
        sa.Column("author", sa.Text(), nullable=False, comment="as the audit trail names them"),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "conversation_notes_conversation_idx", "conversation_notes", ["conversation_id", "id"]
    )


def _create_index(name: str, table: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, sqlite_where=condition, postgresql_where=condition)
