"""Sessions that a password opened end with it; those of before do at once, for none can tell."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# Which sessions the password opened stands in the audit trail, which was written with each.
DELETE_THEM = """
DELETE FROM sessions WHERE EXISTS (
    SELECT 1 FROM audit
    WHERE audit.action = 'session.begin' AND audit.subject = sessions.name
        AND audit.done_at = sessions.created_at
        AND CAST(audit.detail AS TEXT) LIKE '%"password"%'
)
"""


def upgrade() -> None:
    op.add_column(
        "sessions",
        sa.Column(
            "proof", sa.LargeBinary(), comment="of the password that opened it; null: a link did"
        ),
    )
    op.execute(DELETE_THEM)
