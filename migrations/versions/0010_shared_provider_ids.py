"""An id of the provider may belong to several texts; why a text could not be asked about."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# SQLite cannot drop the constraint of a column, so there the table is made anew.
ON_SQLITE = (
    "ALTER TABLE provider_messages RENAME TO old_provider_messages",
    "DROP INDEX provider_messages_outbound_idx",
    """
    CREATE TABLE provider_messages (
        id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
        provider_id TEXT NOT NULL,
        outbound_id INTEGER NOT NULL,
        destination TEXT NOT NULL,
        status TEXT,
        is_final BOOLEAN NOT NULL,
        updated_at BIGINT NOT NULL
    )
    """,
    """
    INSERT INTO provider_messages
    SELECT id, provider_id, outbound_id, destination, status, is_final, updated_at
    FROM old_provider_messages
    """,
    "DROP TABLE old_provider_messages",
)


def upgrade() -> None:
    op.add_column(
        "outbound",
        sa.Column("check_error", sa.Text(), comment="why the last question about it has failed"),
    )
    if op.get_context().dialect.name == "postgresql":
        op.drop_constraint("provider_messages_provider_id_key", "provider_messages")
    else:
        for statement in ON_SQLITE:
            op.execute(statement)
        op.create_index(
            "provider_messages_outbound_idx", "provider_messages", ["outbound_id", "id"]
        )
    op.create_index(
        "provider_messages_provider_idx",
        "provider_messages",
        ["provider_id", "outbound_id"],
        unique=True,
    )
