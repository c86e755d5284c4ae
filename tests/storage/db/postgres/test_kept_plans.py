"""What handling and sending ask PostgreSQL is planned once for each connection."""

from typing import Any

from sqlalchemy import Connection, text

from app.flows.inbound.handle import handle_batch
from app.storage.db.database import PostgresDatabase
from app.storage.db.postgres.connector import SESSION_SETTINGS
from app.storage.inbound.inbound import make_inserter
from app.storage.outbound.sending.claims import claim_texts
from app.storage.outbound.sending.sender import lock_sender
from tests.conftest import NOW
from tests.support.messages import make_message

# How often a statement has been planned for all values at once, and for those of one call.
PLANS = "SELECT statement, generic_plans, custom_plans FROM pg_prepared_statements"
SETS_IT = "set_config"


def claim(conn: Connection) -> None:
    state, now = lock_sender(conn)
    claim_texts(conn, state, now, limit=1, per_second=100, batch=1, lease_seconds=100)


def read_plans(conn: Connection) -> list[Any]:
    mode = conn.execute(text("SHOW plan_cache_mode")).scalar()
    assert mode == "auto"  # it ends with the transaction
    return list(conn.execute(text(PLANS)).all())


async def test_handling_and_sending_are_planned_once(postgres_url: str) -> None:
    assert "plan_cache_mode" not in SESSION_SETTINGS
    database = PostgresDatabase(postgres_url)
    inserter = make_inserter(database)
    for number in range(8):
        await inserter.insert([make_message(number)], NOW)
        assert await database.write(handle_batch, NOW)
        await database.write(claim)
    plans = await database.write(read_plans)
    inserter.abandon()
    await database.close()
    later = [each for each in plans if SETS_IT not in each.statement and each.statement != PLANS]
    again = [each for each in later if each.generic_plans >= 8]
    assert len(again) > 5
    assert [each for each in again if each.custom_plans] == []
