"""Who guesses passwords waits, is recorded, and holds up nobody else."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from app.domain.access.throttle import list_limits
from app.storage.access import sessions as storage
from app.storage.access.audit import add_failed_sign_in, forget_failed_sign_ins, list_audit
from app.storage.db.database import Connection, Database
from app.storage.tables.access import sign_in_failures
from tests.conftest import NOW
from tests.web.access.passwords import guessing, try_password


async def test_wrong_passwords_are_throttled_before_they_are_looked_at(
    database_url: str, tmp_path: Path
) -> None:
    async with guessing(database_url, tmp_path) as visitor:
        statuses = await asyncio.gather(*[try_password(visitor, "wrong") for _ in range(6)])
        assert sorted(statuses) == [422] * 3 + [429] * 3
        assert await try_password(visitor) == 429
        visitor.running.clock.now += timedelta(seconds=1)
        assert await try_password(visitor) == 303


async def test_each_wrong_password_doubles_the_wait_up_to_a_quarter_of_an_hour(
    sqlite_url: str, tmp_path: Path
) -> None:
    async with guessing(sqlite_url, tmp_path) as visitor:
        clock = visitor.running.clock
        assert [await try_password(visitor, "wrong") for _ in range(3)] == [422] * 3
        waits = []
        for _ in range(13):
            answer = await visitor.post("/sign-in", {"name": "Ada", "password": "wrong"})
            assert answer.status_code == 429
            waits.append(int(answer.headers["retry-after"]))
            clock.now += timedelta(seconds=waits[-1] - 1)
            assert await try_password(visitor, "wrong") == 429, "waiting costs nothing more"
            clock.now += timedelta(seconds=1)
            assert await try_password(visitor, "wrong") == 422
        assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]
        page = (await visitor.post("/sign-in", {"name": "Ada", "password": "wrong"})).text
        assert "Too many wrong passwords: wait 15 minutes, or run" in page
        clock.now += timedelta(days=1)
        assert await try_password(visitor, "wrong") == 422, "it is forgotten after a day"


async def test_who_guesses_locks_out_nobody_else_behind_the_same_address(
    database_url: str, tmp_path: Path
) -> None:
    async with guessing(database_url, tmp_path) as visitor:
        for _ in range(8):
            await try_password(visitor, "wrong", name="Mallory")
        assert await try_password(visitor, name="Mallory") == 429
        assert await try_password(visitor, name="Grace") == 303


async def test_names_that_change_with_each_guess_wait_as_well(
    database_url: str, tmp_path: Path
) -> None:
    async with guessing(database_url, tmp_path) as visitor:
        await visitor.sign_in("Grace")
        statuses = [await try_password(visitor, "wrong", name=f"Eve {n}") for n in range(25)]
        assert statuses == [422] * 20 + [429] * 5
        assert await try_password(visitor, name="Ada") == 429
        assert await try_password(visitor, name="Grace") == 303, "she has signed in before"
        visitor.running.clock.now += timedelta(seconds=1)
        assert await try_password(visitor, name="Ada") == 303


async def test_a_right_password_takes_back_what_was_wrong_under_its_name(
    sqlite_url: str, tmp_path: Path
) -> None:
    async with guessing(sqlite_url, tmp_path) as visitor:
        for _ in range(3):
            for _ in range(2):
                assert await try_password(visitor, "wrong") == 422
            assert await try_password(visitor) == 303


async def test_what_is_counted_of_guesses_is_bounded(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "KEPT_FAILURES", 10)

    def count(conn: Connection) -> int:
        return len(conn.execute(select(sign_in_failures.c.who)).all())

    for number in range(30):
        limits = list_limits(f"Eve {number}", f"192.0.2.{number}", is_known=False)
        await database.write(storage.count_attempt, limits, NOW + timedelta(minutes=number))
    assert await database.read(count) <= 14
    await database.write(storage.count_attempt, limits, NOW + timedelta(days=2))
    assert await database.read(count) == 4


async def test_failed_sign_ins_are_in_the_audit_with_their_address(
    database_url: str, tmp_path: Path
) -> None:
    async with guessing(database_url, tmp_path) as visitor:
        await try_password(visitor, "wrong", name="Eve")
        assert await try_password(visitor, name="Ada") == 303
        await visitor.submit("/sign-out")
        entries = (await visitor.running.call("GET", "/audit")).json()["items"]
        found = [
            (each["action"], each["actor"], each["subject"], each["address"]) for each in entries
        ]
        assert found == [
            ("session.end", "member:mem_1", "Ada", "127.0.0.1"),
            ("session.begin", "member:mem_1", "Ada", "127.0.0.1"),
            ("member.add", "member:mem_1", "mem_1", "127.0.0.1"),
            ("session.fail", "stranger", "Eve", "127.0.0.1"),
        ]
        assert "wrong" not in str(entries)


async def test_strangers_cannot_fill_the_audit(database: Database) -> None:
    def fail(conn: Connection, now: datetime) -> None:
        for number in range(60):
            add_failed_sign_in(conn, "Eve", f"192.0.2.{number}", now)

    async def count() -> int:
        return len(await database.read(list_audit, before=None, limit=999))

    for _ in range(3):
        await database.write(fail, NOW)
    assert await count() == 100
    await database.write(fail, NOW + timedelta(hours=1))
    assert await count() == 160
    later = NOW + timedelta(days=90, minutes=1)
    assert await database.write(forget_failed_sign_ins, later, limit=999) == 100
    assert await count() == 60


async def test_right_passwords_count_for_nothing(sqlite_url: str, tmp_path: Path) -> None:
    async with guessing(sqlite_url, tmp_path) as visitor:
        for number in range(25):
            assert await try_password(visitor, name=f"Ada {number}") == 303
