"""What migrations make of the rows that they find."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Column, LargeBinary, MetaData, Table, Text, insert, select, text
from sqlalchemy.exc import IntegrityError

from app.domain.times import to_microseconds
from app.storage.access.members import add_member
from app.storage.conversations import people
from app.storage.conversations.attention import find_attention
from app.storage.db.columns import UtcTime
from app.storage.db.database import Connection, Database, open_database
from app.storage.db.migrate import MIGRATIONS, list_revisions, migrate
from app.storage.db.sqlite.database import SqliteDatabase
from app.storage.outbound.lists import OutboundFilter, list_outbound
from app.storage.outbound.text_search import has_unindexed, refill_index
from app.storage.tables.access import audit, login_links, members, sessions
from app.storage.tables.conversations import conversations
from app.storage.tables.operations import refills
from app.storage.tables.outbound import outbound
from tests.conftest import NOW

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


@pytest.fixture(params=["sqlite", "postgresql"])
async def bare_database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """A database of either kind in which nothing stands."""
    url, name = "", f"test_{uuid4().hex}"
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_server")
        url = server.create_database(name)
    opened = open_database(url, tmp_path / "letterbox.sqlite3")
    yield opened
    await opened.close()
    if url:
        server.drop_database(name)


def upgrade_to(revision: str, conn: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = conn
    command.upgrade(config, revision)


def add_text(conn: Connection, status: str, schedule: int | None, send_before: int | None) -> None:
    """A text of an hour's validity that was written now; the times are in seconds from now."""

    def tell(seconds: int | None) -> str:
        if seconds is None:
            return "NULL"
        at = to_microseconds(NOW) + seconds * 1_000_000
        return f"to_timestamp({at / 1e6})" if conn.dialect.name == "postgresql" else str(at)

    conn.execute(
        text(
            "INSERT INTO outbound (source, source_key, body, parts, origin, forced, status,"
            " background_ids, attempts, validity_seconds, schedule_at, send_before, due_at,"
            " created_at) VALUES ('447700900001', :key, 'Hello', 1, 'person', :no, :status, '[]',"
            f" 0, 3600, {tell(schedule)}, {tell(send_before)}, {tell(0)}, {tell(0)})"
        ),
        {"key": b"", "status": status, "no": False},
    )


async def test_texts_that_wait_get_the_end_of_their_validity(bare_database: Database) -> None:
    await bare_database.write_at_length(partial(upgrade_to, "0003"))
    texts = [
        ("queued", None, None, 3600),
        ("held", 60, None, 3660),
        ("uncertain", None, 900, 900),
        ("queued", None, 7200, 3600),
        ("sent", None, None, None),
    ]
    for status, schedule, send_before, _ in texts:
        await bare_database.write(add_text, status, schedule, send_before)
    await migrate(bare_database)

    def list_ends(conn: Connection) -> list[float | None]:
        ends = conn.execute(select(outbound.c.send_before).order_by(outbound.c.id)).scalars()
        return [None if end is None else (end - NOW).total_seconds() for end in ends]

    assert await bare_database.read(list_ends) == [each[3] for each in texts]


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


def read_sqlite(path: Path) -> tuple[str, set[str]]:
    """The revision of a sound file and its tables."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT name FROM shared_secrets").fetchall() == [("kept",)]
        [(revision,)] = connection.execute("SELECT version_num FROM alembic_version")
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return revision, {name for (name,) in tables}


@pytest.mark.slow
async def test_a_migration_that_is_killed_leaves_the_old_file_and_the_next_start_carries_on(
    tmp_path: Path,
) -> None:
    path, killed = tmp_path / "letterbox.sqlite3", tmp_path / "killed"
    killed.mkdir()
    database = SqliteDatabase(path)
    await database.write_at_length(partial(upgrade_to, "0001"))
    keep = text("INSERT INTO shared_secrets VALUES ('kept', x'01')")
    await database.write(lambda conn: conn.execute(keep).rowcount)
    await database.close()
    old = read_sqlite(path)
    runs = [
        sys.executable,
        "-m",
        "tests.support.storage.killed_migration",
        str(path),
        str(killed),
        "9",
    ]
    done = await asyncio.to_thread(
        lambda: subprocess.run(
            runs, cwd=MIGRATIONS.parent, timeout=300, capture_output=True, text=True
        )
    )
    assert done.returncode == 0, done.stderr
    places = sorted(killed.iterdir(), key=lambda place: int(place.name))
    assert len(places) > 5
    for place in places:
        found = read_sqlite(place / path.name)
        assert (found == old) is (place is not places[-1])
        database = SqliteDatabase(place / path.name, is_owner=True)
        assert await migrate(database) == (list_revisions()[-1] if found == old else None)
        await database.close()
        assert read_sqlite(place / path.name)[0] == list_revisions()[-1]
        copies = sorted(place.glob("*before-migration*"))
        assert [read_sqlite(copy) for copy in copies] == [old]


async def test_a_copy_that_was_cut_off_is_made_anew_before_a_migration(tmp_path: Path) -> None:
    path = tmp_path / "letterbox.sqlite3"
    database = SqliteDatabase(path)
    await database.write_at_length(partial(upgrade_to, "0001"))
    copy = path.with_name(f"{path.name}.before-migration-from-0001")
    cut_off = copy.with_name(f"{copy.name}.unfinished")
    cut_off.write_bytes(path.read_bytes()[:5000])
    assert await migrate(database) == list_revisions()[-1]
    await database.close()
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert not cut_off.exists()


async def test_answers_that_wait_go_before_other_texts(bare_database: Database) -> None:
    await bare_database.write_at_length(partial(upgrade_to, "0007"))
    for _ in range(2):
        await bare_database.write(add_text, "queued", None, 900)
    await bare_database.write(
        lambda conn: conn.exec_driver_sql("UPDATE outbound SET origin = 'rule' WHERE id = 2")
    )
    await migrate(bare_database)

    def list_priorities(conn: Connection) -> list[tuple[int, int | None]]:
        table = outbound.c
        query = select(table.priority, table.batch_id).order_by(table.id)
        return [(row.priority, row.batch_id) for row in conn.execute(query)]

    assert await bare_database.read(list_priorities) == [(1, None), (0, None)]


OLD_ROWS = (
    "INSERT INTO daily_counts VALUES ('2026-06-01', :key, '447700900100', 7, 2)",
    "INSERT INTO daily_counts VALUES ('2026-06-02', :key, '447700900100', 3, 0)",
    "INSERT INTO daily_figures VALUES ('2026-06-01', :key, 'sent', '447700900100', 5)",
    "INSERT INTO arrivals VALUES (:key, '447700900100', {now})",
    "INSERT INTO send_attempts VALUES (1, 1, {now}, NULL, 'taken', NULL, NULL, NULL)",
    "INSERT INTO status_changes VALUES (1, 1, NULL, 'sent', NULL, 'send', {now})",
)
NEW_ROWS = {
    "SELECT day, name, number, value FROM daily_counts ORDER BY day, name": [
        ("2026-06-01", "received", "447700900100", 7),
        ("2026-06-01", "sent", "447700900100", 5),
        ("2026-06-01", "with_problems", "447700900100", 2),
        ("2026-06-02", "received", "447700900100", 3),
    ],
    "SELECT DISTINCT number_key FROM daily_counts": [(b"key",)],
    "SELECT dest FROM number_last_seen": [("447700900100",)],
    "SELECT attempt, outcome FROM send_attempts": [(1, "taken")],
    "SELECT status, source FROM status_changes": [("sent", "send")],
}


async def test_counts_and_histories_of_an_older_release_are_kept_under_their_new_names(
    bare_database: Database,
) -> None:
    await bare_database.write_at_length(partial(upgrade_to, "0012"))

    def write_old(conn: Connection) -> None:
        now = to_microseconds(NOW)
        if conn.dialect.name == "postgresql":
            now = f"to_timestamp({now / 1e6})"  # type: ignore[assignment]
        for row in OLD_ROWS:
            conn.execute(text(row.format(now=now)), {"key": b"key"})

    await bare_database.write(write_old)
    await migrate(bare_database)

    def read(conn: Connection, query: str) -> list[tuple[object, ...]]:
        return [tuple(row) for row in conn.execute(text(query))]

    for query, rows in NEW_ROWS.items():
        assert await bare_database.read(read, query) == rows


async def test_two_texts_in_flight_to_one_number_are_still_refused_after_the_renames(
    bare_database: Database,
) -> None:
    await migrate(bare_database)
    for _ in range(2):
        await bare_database.write(add_text, "sending", None, 900)

    def pair_all(conn: Connection) -> None:
        conn.execute(text("UPDATE outbound SET pair_key = :key"), {"key": b"pair"})

    with pytest.raises(IntegrityError, match=r"outbound_in_flight_idx|outbound.pair_key"):
        await bare_database.write(pair_all)


_PAIR = (
    "INSERT INTO conversations (pair_key, dest_key, source_key, dest, source, name,"
    " last_message_id, last_arrived_at, unread, updated_at)"
    " VALUES (:pair, :ours, :key, :dest, :source, :name, :message, {}, :unread, {})"
)
_TEXT = (
    "INSERT INTO outbound (source, source_key, body, parts, origin, forced, status,"
    " background_ids, attempts, validity_seconds, due_at, created_at, conversation_id, batch_id)"
    " VALUES ('447700900100', :key, 'Hello', 1, :origin, :no, :status, '[]', 0, 60, {}, {},"
    " :conversation, :batch)"
)


def _write_time(conn: Connection, days: int) -> str:
    at = to_microseconds(NOW) - days * 86_400_000_000
    return f"to_timestamp({at / 1e6})" if conn.dialect.name == "postgresql" else str(at)


def add_pair(
    conn: Connection, number: int, name: str, days: int, *, unread: int = 0, message: int | None = 1
) -> None:
    """The conversation with this id, of a sender's own, quiet for so many days."""
    source = f"44770090{number:04}"[:12]
    values = {
        "pair": b"pair%d" % number,
        "ours": b"ours",
        "key": source.encode(),
        "dest": "447700900100",
        "source": source,
        "name": name,
        "message": message,
        "unread": unread,
    }
    at = _write_time(conn, days)
    conn.execute(text(_PAIR.format("NULL" if message is None else at, at)), values)


def add_sent(
    conn: Connection, conversation: int, days: int, *, origin: str = "person", status: str = "sent",
    batch: int | None = None,
) -> None:  # fmt: skip
    at = _write_time(conn, days)
    values = {
        "key": b"",
        "origin": origin,
        "no": False,
        "status": status,
        "conversation": conversation,
        "batch": batch,
    }
    conn.execute(text(_TEXT.format(at, at)), values)


async def test_conversations_of_an_older_release_are_open_unless_they_are_quiet(
    bare_database: Database,
) -> None:
    await bare_database.write_at_length(partial(upgrade_to, "0019"))

    def fill(conn: Connection) -> None:
        add_pair(conn, 1, "Ada", 0)
        add_pair(conn, 2, "", 1)
        add_pair(conn, 3, "Grace", 31)
        add_pair(conn, 4, "", 31, unread=1)
        add_pair(conn, 5, "", 0, message=None)
        add_pair(conn, 6, "", 0, message=None)
        add_sent(conn, 1, 0, origin="rule")
        add_sent(conn, 2, 1)
        add_sent(conn, 2, 15, status="failed")
        add_sent(conn, 3, 40)
        add_sent(conn, 5, 0, batch=1, status="failed")
        add_sent(conn, 6, 0)

    await bare_database.write(fill)
    await migrate(bare_database)

    def read(conn: Connection) -> list[tuple[Any, ...]]:
        table = conversations.c
        query = select(table.state, table.awaits_answer, table.in_batch).order_by(table.id)
        return [tuple(row) for row in conn.execute(query)]

    assert await bare_database.read(read) == [
        ("open", True, False),
        ("open", False, False),
        ("done", True, False),
        ("open", True, False),
        ("done", False, True),
        ("done", False, False),
    ]
    cards = (await bare_database.read(people.list_people, before=None, limit=9)).people
    assert [(each.name, each.name_from) for each in cards] == [
        ("Grace", "merge-field"),
        ("Ada", "merge-field"),
    ]
    assert await bare_database.read(find_attention, range(9)) == {5: ["failed"]}


async def test_words_that_an_older_release_sent_are_found_before_and_after_they_are_indexed(
    bare_database: Database,
) -> None:
    await bare_database.write(partial(upgrade_to, "0014"))
    await bare_database.write(add_text, "sent", None, None)
    await bare_database.write(partial(upgrade_to, "head"))
    words = OutboundFilter(words=("hel",))
    for _ in range(2):
        page = await bare_database.read(list_outbound, words, before=None, limit=5)
        assert [each.id for each in page.texts] == [1]
        while await bare_database.write(refill_index):
            pass
    assert not await bare_database.read(has_unindexed)
    assert not await bare_database.read(lambda conn: conn.execute(select(refills)).all())
