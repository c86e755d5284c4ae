"""Checks a database for `doctor`: whether it has what the service needs."""

from datetime import datetime

from sqlalchemy import Connection, select, text

import app.storage.tables  # noqa: F401 the whole schema is inspected
from app.storage.db.database import Database
from app.storage.db.migrate import is_current
from app.storage.db.postgres.privileges import find_missing
from app.storage.operations.alerts import list_open_subjects
from app.storage.tables.inbound import refusals

# The reason of a refusal, and the kind of an alert.
UNTRUSTED_PROXY = "untrusted-proxy"

MIN_POSTGRES = 130_000


async def inspect_database(database: Database) -> list[tuple[bool, str]]:
    """Findings as (whether it is fine, a line that says what was found and what to do)."""
    is_server = database.dialect == "postgresql"
    if not is_server:
        # It says what to do where the file cannot be opened.
        await is_current(database)
    findings = await database.read(_inspect_postgres if is_server else _inspect_sqlite)
    if is_server and (missing := await database.read(find_missing)):
        findings.append((False, missing))
    elif await is_current(database):
        findings.append((True, "the schema is this release's"))
    else:
        findings.append((False, "the schema is older than this release: run `letterbox migrate`"))
    return findings


def _inspect_postgres(conn: Connection) -> list[tuple[bool, str]]:
    def show(name: str) -> str:
        return str(conn.execute(text(f"SHOW {name}")).scalar_one())

    findings = [(True, f"PostgreSQL {show('server_version')} answers")]
    if int(show("server_version_num")) < MIN_POSTGRES:
        findings.append((False, "PostgreSQL is too old: install 13 or newer"))
    findings += [
        (False, f"PostgreSQL runs with {name}=off, so a crash loses messages: turn it on")
        for name in ("fsync", "full_page_writes")
        if show(name) == "off"
    ]
    offered = text("SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_trgm'")
    if not conn.execute(offered).scalar():
        findings.append((False, "PostgreSQL lacks pg_trgm: install its contrib package"))
    return findings


def _inspect_sqlite(conn: Connection) -> list[tuple[bool, str]]:
    version = conn.execute(text("SELECT sqlite_version()")).scalar_one()
    broken = conn.execute(text("PRAGMA quick_check(1)")).scalar_one()
    findings = [(True, f"SQLite {version} opens the file")]
    if broken != "ok":
        findings.append((False, f"the SQLite file is damaged ({broken}): restore a copy of it"))
    return findings


def list_unheeded_proxies(conn: Connection, *, since: datetime) -> list[str]:
    """The addresses that sent X-Forwarded-For or Forwarded without being trusted."""
    query = select(refusals.c.address).where(
        refusals.c.reason == UNTRUSTED_PROXY, refusals.c.refused_at >= since
    )
    return sorted(list_open_subjects(conn, UNTRUSTED_PROXY) | set(conn.execute(query).scalars()))
