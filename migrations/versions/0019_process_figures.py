"""What worker processes count, for /metrics of the web processes."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "process_figures",
        sa.Column("process_id", sa.Text(), primary_key=True),
        sa.Column("figures", sa.JSON(), nullable=False),
    )
