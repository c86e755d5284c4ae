"""What migrations make of sessions and sign-in links."""

from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Column, LargeBinary, MetaData, Table, Text, insert, select

from app.storage.access.members import add_member
from app.storage.db.columns import UtcTime
from app.storage.db.database import Connection, Database
from app.storage.db.migrate import migrate
from app.storage.tables.access import audit, login_links, members, sessions
from tests.conftest import NOW
from tests.storage.db.migrations.old_rows import upgrade_to

# As they were before members.
OLD_SESSIONS = Table(
    "sessions",
    MetaData(),
    Column("digest", LargeBinary),
    Column("name", Text),
    Column("user_agent", Text),
    Column("created_at", UtcTime),
    Column("seen_at", UtcTime),
    Column("expires_at", UtcTime),
)
OLD_LINKS = Table(
    "login_links",
    MetaData(),
    Column("digest", LargeBinary),
    Column("name", Text),
    Column("created_at", UtcTime),
    Column("expires_at", UtcTime),
)


async def test_sessions_that_a_password_opened_before_it_was_kept_with_them_end(
    bare_database: Database,
) -> None:
    await bare_database.write_at_length(partial(upgrade_to, "0005"))

    def begin(conn: Connection, name: str, by: str, now: datetime) -> None:
        times = ("created_at", "seen_at", "expires_at")
        conn.execute(
            insert(OLD_SESSIONS).values(
                digest=f"{name} {by} {now}".encode(),
                name=name,
                user_agent="",
                **dict.fromkeys(times, now),
            )
        )
        entry = {"actor": f"session:{name}", "action": "session.begin", "subject": name}
        conn.execute(insert(audit).values(done_at=now, detail={"by": by}, **entry))

    for name, by, minutes in (
        ("Ada", "password", 0),
        ("Ada", "login link", 1),
        ("Grace", "login link", 0),
        ("password", "login link", 2),
    ):
        await bare_database.write(begin, name, by, NOW + timedelta(minutes=minutes))
    await bare_database.write_at_length(partial(upgrade_to, "0006"))

    def list_left(conn: Connection) -> list[tuple[str, datetime]]:
        table = OLD_SESSIONS.c
        query = select(table.name, table.created_at)
        return sorted((row.name, row.created_at) for row in conn.execute(query))

    assert await bare_database.read(list_left) == [
        ("Ada", NOW + timedelta(minutes=1)),
        ("Grace", NOW),
        ("password", NOW + timedelta(minutes=2)),
    ]


async def test_sessions_and_links_of_typed_names_end_and_what_they_did_stays(
    bare_database: Database,
) -> None:
    await bare_database.write_at_length(partial(upgrade_to, "0013"))

    def sign_in(conn: Connection) -> None:
        for table in (OLD_SESSIONS, OLD_LINKS):
            times = [column.name for column in table.c if isinstance(column.type, UtcTime)]
            values = {"name": "Ada", "digest": b"digest", **dict.fromkeys(times, NOW)}
            if table is OLD_SESSIONS:
                values["user_agent"] = "Firefox"
            conn.execute(insert(table).values(values))
        entry = {"actor": "session:Ada", "action": "rule.create", "subject": "1", "detail": {}}
        conn.execute(insert(audit).values(done_at=NOW, **entry))

    await bare_database.write(sign_in)
    await migrate(bare_database)

    def count(conn: Connection) -> list[int]:
        return [
            len(conn.execute(select(table)).all())
            for table in (sessions, login_links, members, audit)
        ]

    assert await bare_database.read(count) == [0, 0, 0, 1]
    added = await bare_database.write(add_member, "Ada", "admin", "active", NOW)
    assert added.actor == "member:mem_1"
