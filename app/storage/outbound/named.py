"""The lists and groups that were written to."""

from sqlalchemy import Connection, select

from app.storage.tables.outbound import outbound

# Whatever was written to longer ago is typed in full.
LOOKED_AT = 500


def list_named(conn: Connection) -> tuple[list[str], list[str]]:
    """The names of lists and of groups, those of the newest texts first, each once."""
    table = outbound.c
    query = select(table.list_name, table.group_name).where(table.to_number.is_(None))
    rows = conn.execute(query.order_by(table.id.desc()).limit(LOOKED_AT)).all()
    lists = dict.fromkeys(row.list_name for row in rows if row.list_name)
    groups = dict.fromkeys(row.group_name for row in rows if row.group_name)
    return list(lists), list(groups)
