"""What the account in use may do, for services that run under a role that owns nothing."""

from collections.abc import Sequence

from sqlalchemy import Connection, text

from app.storage.db.columns import metadata

DENIED = "42501"
GRANTS = "docs/deploy/postgresql-roles.sql"
# Named in one line; whoever lacks more lacks all.
MOST_NAMED = 3

# As text: of an array of names the driver first asks what it is, at each connection.
_MISSING = text("""
SELECT c.relname, privilege
FROM pg_class c, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) privilege
WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace
  AND (c.relname = ANY (CAST(:tables AS text[]))
       OR c.relname = 'alembic_version' AND privilege = 'SELECT')
  AND NOT has_table_privilege(c.oid, privilege)
UNION ALL
SELECT s.relname, privilege
FROM pg_class s
JOIN pg_depend d ON d.objid = s.oid AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
JOIN pg_class c ON c.oid = d.refobjid AND c.relname = ANY (CAST(:tables AS text[])),
     unnest(ARRAY['USAGE', 'SELECT']) privilege
WHERE s.relkind = 'S' AND s.relnamespace = current_schema()::regnamespace
  AND NOT has_sequence_privilege(s.oid, privilege)
ORDER BY 1, 2
""")


def find_missing(conn: Connection) -> str | None:
    """What the account lacks, and where the grants are written down; None: nothing.

    Of the tables that this process has imported.
    """
    rows = conn.execute(_MISSING, {"tables": list(metadata.tables)}).all()
    if not rows:
        return None
    account = conn.exec_driver_sql("SELECT current_user").scalar_one()
    return _describe(str(account), [(str(name), str(each)) for name, each in rows])


def _describe(account: str, rows: Sequence[tuple[str, str]]) -> str:
    named = ", ".join(f"{privilege} on {name}" for name, privilege in rows[:MOST_NAMED])
    more = f" and {len(rows) - MOST_NAMED} more" if len(rows) > MOST_NAMED else ""
    return (
        f"LETTERBOX_DATABASE_URL: PostgreSQL's role {account} lacks {named}{more}: have the owner"
        f" of the tables grant it ({GRANTS})"
    )
