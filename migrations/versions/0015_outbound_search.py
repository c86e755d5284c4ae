"""The words of texts that go out are found by an index: a table for it, and how far it is fed."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

LAST = "SELECT max(id) AS last FROM outbound"


def upgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.execute(
            "CREATE TABLE outbound_search (outbound_id bigint PRIMARY KEY, folded text NOT NULL)"
        )
        op.execute(
            "CREATE INDEX outbound_search_folded_idx ON outbound_search"
            " USING gin (folded gin_trgm_ops)"
        )
    else:
        op.execute(
            "CREATE VIRTUAL TABLE outbound_search USING fts5(folded, content='', columnsize=0,"
            " detail=none, tokenize='trigram case_sensitive 1')"
        )
        op.execute("INSERT INTO outbound_search (outbound_search, rank) VALUES ('automerge', 0)")
        op.execute(
            "INSERT INTO outbound_search (outbound_search, rank) VALUES ('crisismerge', 2000)"
        )
    op.create_table(
        "index_progress",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column(
            "position", sa.BigInteger(), nullable=False, comment="up to this row all are indexed"
        ),
    )
    op.execute(
        "INSERT INTO index_progress (name, position)"  # noqa: S608 it is written above
        f" SELECT 'outbound', coalesce(last, 0) FROM ({LAST}) AS found"
    )
    op.execute(
        "INSERT INTO refills (name, position)"  # noqa: S608
        f" SELECT 'outbound-words', last FROM ({LAST}) AS found WHERE last IS NOT NULL"
    )
