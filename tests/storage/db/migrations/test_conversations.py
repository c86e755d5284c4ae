"""What migrations make of conversations."""

from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import select, text

from app.storage.conversations import people
from app.storage.conversations.attention import find_attention
from app.storage.db.database import Connection, Database
from app.storage.db.migrate import migrate
from app.storage.tables.conversations import conversations
from tests.conftest import NOW
from tests.storage.db.migrations.old_rows import upgrade_to, write_time

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
    at = write_time(conn, NOW - timedelta(days=days))
    conn.execute(text(_PAIR.format("NULL" if message is None else at, at)), values)


def add_sent(
    conn: Connection, conversation: int, days: int, *, origin: str = "person", status: str = "sent",
    batch: int | None = None,
) -> None:  # fmt: skip
    at = write_time(conn, NOW - timedelta(days=days))
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
