"""Why sending stopped, and how many tries in a row have failed since."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "sender", sa.Column("cause", sa.Text(), comment="what stopped it; null: it is not stopped")
    )
    op.add_column(
        "sender",
        sa.Column(
            "failures",
            sa.Integer(),
            nullable=False,
            server_default="0",
            comment="tries in a row that showed no working provider",
        ),
    )
    op.execute("UPDATE sender SET cause = 'account' WHERE state = 'stopped'")
