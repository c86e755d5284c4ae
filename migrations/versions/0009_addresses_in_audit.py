"""The audit tells addresses, and wrong passwords are counted by name and address, not kept."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TIME = sa.BigInteger().with_variant(sa.DateTime(timezone=True), "postgresql")


def upgrade() -> None:
    op.add_column(
        "audit", sa.Column("address", sa.Text(), comment="where it came from; null: nobody knows")
    )
    op.drop_table("password_attempts")
    op.create_table(
        "sign_in_failures",
        sa.Column("who", sa.LargeBinary(), primary_key=True, comment="a digest"),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("last_at", TIME, nullable=False),
    )
    op.create_index("sign_in_failures_last_idx", "sign_in_failures", ["last_at"])
