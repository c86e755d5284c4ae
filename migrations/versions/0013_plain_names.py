"""One table of daily counts; tables, columns and an index are named for what they hold."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

# One row for each count, in place of a table with a column for each.
ADD_COUNTS = """
INSERT INTO daily_figures (day, number_key, figure, number, value)
SELECT day, dest_key, '{column}', dest, {column} FROM daily_counts WHERE {column} > 0
"""
RENAMES = (
    "ALTER TABLE daily_figures RENAME TO daily_counts",
    "ALTER TABLE daily_counts RENAME COLUMN figure TO name",
    "ALTER TABLE arrivals RENAME TO number_last_seen",
    "ALTER TABLE status_changes RENAME COLUMN told_by TO source",
    "ALTER TABLE send_attempts RENAME COLUMN fate TO outcome",
)
# SQLite has no names for primary keys, and cannot rename an index.
ON_POSTGRES = (
    "ALTER INDEX daily_figures_pkey RENAME TO daily_counts_pkey",
    "ALTER INDEX arrivals_pkey RENAME TO number_last_seen_pkey",
    "ALTER INDEX outbound_under_way_idx RENAME TO outbound_in_flight_idx",
)


def upgrade() -> None:
    for column in ("received", "with_problems"):
        op.execute(ADD_COUNTS.format(column=column))
    op.drop_table("daily_counts")
    for statement in RENAMES:
        op.execute(statement)
    if op.get_context().dialect.name == "postgresql":
        for statement in ON_POSTGRES:
            op.execute(statement)
        return
    op.drop_index("outbound_under_way_idx")
    op.create_index(
        "outbound_in_flight_idx",
        "outbound",
        ["pair_key"],
        unique=True,
        sqlite_where=sa.text("status IN ('sending', 'uncertain')"),
    )
