"""Fewer indexes of conversations: each text moved its conversation in eight of them."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

UNREAD = sa.text("unread > 0")


def upgrade() -> None:
    # Others take over what these served.
    op.drop_index("conversations_dest_unread_idx", "conversations")
    op.drop_index("conversations_received_idx", "conversations")
    for name in ("updated", "source", "unread"):
        op.drop_index(f"conversations_{name}_idx", "conversations")
    op.create_index(
        "conversations_updated_idx", "conversations", ["updated_at", "id", "last_message_id"]
    )
    op.create_index("conversations_source_idx", "conversations", ["source_key"])
    op.create_index(
        "conversations_unread_idx",
        "conversations",
        ["updated_at", "id", "dest_key"],
        sqlite_where=UNREAD,
        postgresql_where=UNREAD,
    )
