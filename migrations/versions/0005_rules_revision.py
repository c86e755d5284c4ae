"""A count of the changes to the rules, by which processes know when to read them anew."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("INSERT INTO revisions (name, revision) VALUES ('rules', 1)")
