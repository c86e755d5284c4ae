"""Outbound texts have a reference and metadata; messages are found by the provider's id."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("outbound", sa.Column("reference", sa.Text(), comment="the program's own"))
    op.add_column("outbound", sa.Column("reference_key", sa.LargeBinary()))
    op.add_column("outbound", sa.Column("metadata", sa.JSON()))
    op.create_index(
        "outbound_reference_idx",
        "outbound",
        ["reference_key", "created_at", "id"],
        sqlite_where=sa.text("reference_key IS NOT NULL"),
        postgresql_where=sa.text("reference_key IS NOT NULL"),
    )
    op.create_index("status_changes_changed_idx", "status_changes", ["changed_at", "outbound_id"])
    op.add_column(
        "message_index",
        sa.Column("provider_key", sa.LargeBinary(), comment="digest of the provider's id"),
    )
    op.create_index(
        "message_index_provider_idx",
        "message_index",
        ["provider_key", "message_id"],
        sqlite_where=sa.text("provider_key IS NOT NULL"),
        postgresql_where=sa.text("provider_key IS NOT NULL"),
    )
    op.execute(
        "INSERT INTO refills (name, position)"
        " SELECT 'provider-ids', last FROM (SELECT max(message_id) AS last FROM message_index)"
        " AS found WHERE last IS NOT NULL"
    )
