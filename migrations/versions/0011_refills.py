"""Rows of before are brought up to date little by little: how far that is."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# What is refilled, and the largest id of the rows that were there before.
STARTS = {
    "folding": "SELECT max(message_id) AS last FROM message_index",
    "numbers": "SELECT max(id) AS last FROM conversations",
    "opt-outs": "SELECT max(id) AS last FROM opt_outs",
}


def upgrade() -> None:
    op.create_table(
        "refills",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column(
            "position", sa.BigInteger(), nullable=False, comment="this row and those before wait"
        ),
    )
    for name, start in STARTS.items():
        op.execute(
            f"INSERT INTO refills (name, position)"  # noqa: S608 both are written above
            f" SELECT '{name}', last FROM ({start}) AS found WHERE last IS NOT NULL"
        )
