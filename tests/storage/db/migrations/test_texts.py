"""What migrations make of the texts that go out, and of what was counted."""

from functools import partial

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from app.storage.db.database import Connection, Database
from app.storage.db.migrate import migrate
from app.storage.outbound.lists import OutboundFilter, list_outbound
from app.storage.outbound.text_search import has_unindexed, refill_index
from app.storage.tables.operations import refills
from app.storage.tables.outbound import outbound
from tests.conftest import NOW
from tests.storage.db.migrations.old_rows import add_text, upgrade_to, write_time


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
        for row in OLD_ROWS:
            conn.execute(text(row.format(now=write_time(conn, NOW))), {"key": b"key"})

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
