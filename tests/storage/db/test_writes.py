"""Writes that go together, and what they leave behind, on both kinds of database."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.storage.db.database import Connection, Database, PostgresDatabase
from app.storage.db.writes import Writes, make_bulk_insert, make_bulk_update
from app.storage.tables.inbound import message_blocks, number_last_seen
from tests.conftest import NOW
from tests.support.storage.statements import watching

LATER = NOW + timedelta(hours=1)
ADD_ARRIVALS = make_bulk_insert(number_last_seen, [each.name for each in number_last_seen.c])
MOVE_ARRIVALS = make_bulk_update(number_last_seen, ["dest_key", "dest"], ["last_arrived_at"])
ADD_BLOCKS = make_bulk_insert(
    message_blocks,
    [each.name for each in message_blocks.c],
    lambda statement: statement.on_conflict_do_update(
        index_elements=["block"],
        set_={"last_received_at": statement.excluded.last_received_at},
    ),
)


def make_arrival(number: str, at: Any = NOW) -> dict[str, Any]:
    return {"dest_key": number.encode(), "dest": number, "last_arrived_at": at}


def make_block(block: int, last: Any = NOW) -> dict[str, Any]:
    return {"block": block, "first_received_at": NOW, "last_received_at": last}


async def list_rows(database: Database, *columns: Any) -> list[tuple[Any, ...]]:
    query = select(*columns).order_by(columns[0])
    return [tuple(row) for row in await database.read(lambda conn: conn.execute(query).all())]


async def test_rows_of_several_tables_are_written_together(database: Database) -> None:
    writes = Writes()
    writes.add(ADD_ARRIVALS, [make_arrival("1"), make_arrival("2")])
    writes.add(ADD_BLOCKS, [make_block(1)])
    writes.add(ADD_ARRIVALS, [make_arrival("3", LATER)])
    await database.write(writes.run)
    found = await list_rows(database, number_last_seen.c.dest, number_last_seen.c.last_arrived_at)
    assert found == [("1", NOW), ("2", NOW), ("3", LATER)]
    assert await list_rows(database, message_blocks.c.block) == [(1,)]


async def test_what_has_run_is_not_run_again(database: Database) -> None:
    writes = Writes()
    writes.add(ADD_ARRIVALS, [make_arrival("1")])
    await database.write(writes.run)
    await database.write(writes.run)
    writes.add(ADD_ARRIVALS, [make_arrival("2")])
    await database.write(writes.run)
    assert await list_rows(database, number_last_seen.c.dest) == [("1",), ("2",)]


async def test_rows_that_are_there_are_changed_as_the_statement_says(database: Database) -> None:
    writes = Writes()
    for rows in ([make_block(1), make_block(2)], [make_block(2, LATER), make_block(3)]):
        writes.add(ADD_BLOCKS, rows)
        await database.write(writes.run)
    found = await list_rows(database, message_blocks.c.block, message_blocks.c.last_received_at)
    assert found == [(1, NOW), (2, LATER), (3, NOW)]


async def test_an_update_changes_the_rows_of_its_keys_alone(database: Database) -> None:
    writes = Writes()
    writes.add(ADD_ARRIVALS, [make_arrival(each) for each in "123"])
    await database.write(writes.run)
    wrong_key = make_arrival("3", LATER) | {"dest": "4"}
    writes.add(MOVE_ARRIVALS, [make_arrival("1", LATER), wrong_key])
    await database.write(writes.run)
    found = await list_rows(database, number_last_seen.c.dest, number_last_seen.c.last_arrived_at)
    assert found == [("1", LATER), ("2", NOW), ("3", NOW)]


async def test_nothing_is_left_of_writes_whose_transaction_fails(database: Database) -> None:
    writes = Writes()
    writes.add(ADD_ARRIVALS, [make_arrival("1")])
    writes.add(ADD_ARRIVALS, [make_arrival("1")])

    with pytest.raises(IntegrityError, match=r"(?i)unique"):
        await database.write(writes.run)
    assert await list_rows(database, number_last_seen.c.dest) == []


async def test_many_rows_take_few_statements(database: Database) -> None:
    writes = Writes()
    writes.add(ADD_ARRIVALS, [make_arrival(str(each)) for each in range(50)])
    writes.add(ADD_BLOCKS, [make_block(each) for each in range(50)])
    seen: list[str] = []

    def run(conn: Connection) -> None:
        with watching(conn) as statements:
            writes.run(conn)
        seen.extend(statements)

    await database.write(run)
    # Of 32, 16 and 2 rows for each table on SQLite.
    assert len(seen) == (1 if isinstance(database, PostgresDatabase) else 6)
    assert len(await list_rows(database, message_blocks.c.block)) == 50
