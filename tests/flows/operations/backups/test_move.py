"""Moving a service to another database: every row, id and counter, and a feed without a gap."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from app.domain.errors import SetupError
from app.flows.operations.backups.move import move
from app.storage.db import moving
from app.storage.db.database import Database, open_database
from app.storage.db.migrate import is_current
from app.storage.tables.operations import events
from tests.support.kit import open_kit

SENDER = "447700900123"


@pytest.fixture(params=["to PostgreSQL", "to SQLite"])
def urls(request: pytest.FixtureRequest, sqlite_url: str, postgres_url: str) -> tuple[str, str]:
    both = sqlite_url, postgres_url
    return both if request.param == "to PostgreSQL" else both[::-1]


def _open(url: str) -> Database:
    return open_database(url, Path(url.removeprefix("sqlite:///")))


async def _fill(url: str, folder: Path) -> Any:
    """Texts, one of them gone from the events, a rule with a reply, a number; the feed's cursor."""
    async with open_kit(url, folder) as kit:
        rule = {"name": "Hours", "keyword": "hours", "timezone": "UTC", "reply": "9 to 5 {name}"}
        assert (await kit.client.post("/api/v1/rules", json=rule)).status_code == 201
        number = {"number": "447700900001", "label": "Büro 🙂"}
        assert (await kit.client.post("/api/v1/numbers", json=number)).status_code == 201
        for each in range(5):
            await kit.forward(
                str(each), msg=f"Hours, café {each} 🙂", name="Ada", msg_extra="\u2028x"
            )
        await kit.handle()
        await kit.forward("waiting", msg="not handled yet")
        feed = await kit.get("/messages", order="asc", limit=3)
        await kit.runtime.database.write(_forget_last_event)
        return feed["next"]


def _write(each: int) -> dict[str, str]:
    return {"msg": f"Hours, café {each} 🙂", "name": "Ada", "more": "\u2028x"}


def _forget_last_event(conn: Any) -> None:
    last = conn.execute(text("SELECT max(id) FROM events")).scalar_one()
    conn.execute(events.delete().where(events.c.id == last))


def _run(conn: Any, sql: str) -> Any:
    """The first value, if the statement has one."""
    result = conn.execute(text(sql))
    return result.scalar() if result.returns_rows else None


async def _move(source: Database, target: Database, report: Any = lambda *_: None) -> Any:
    # Whoever filled the source is gone by then.
    later = datetime.now(UTC) + timedelta(minutes=5)
    return await move(source, target, "the old one", report, later)


async def test_everything_is_there_afterwards_and_a_reader_of_the_feed_goes_on(
    urls: tuple[str, str], tmp_path: Path
) -> None:
    cursor = await _fill(urls[0], tmp_path / "old")
    source, target = _open(urls[0]), _open(urls[1])
    counter = await source.read(moving.read_counter, events)
    moved = await _move(source, target)
    assert moved.rows["messages"] == 6
    assert moved.rows["outbound"] == 1
    assert await target.read(moving.read_counter, events) == counter > 0
    await source.close()
    await target.close()

    async with open_kit(urls[1], tmp_path / "new") as kit:
        rest = await kit.get("/messages", order="asc", cursor=cursor)
        assert [each["provider_id"] for each in rest["items"]] == ["3", "4", "waiting"]
        await kit.handle()
        assert await kit.find(q="café") == ["4", "3", "2", "1", "0"]
        assert await kit.find(q="handled") == ["waiting"]
        await kit.forward("0", **_write(0))
        assert len(await kit.find()) == 6
        await kit.forward("new")
        newest = (await kit.get("/messages"))["items"][0]
        assert newest["provider_id"] == "new"
        assert (await kit.get("/rules"))["items"][0]["name"] == "Hours"


async def test_what_is_absent_stays_absent_and_json_stays_as_it_is_written(
    urls: tuple[str, str], tmp_path: Path
) -> None:
    await _fill(urls[0], tmp_path / "old")
    source, target = _open(urls[0]), _open(urls[1])
    written = '\'{"b":  1, "a": "\\u00e9"}\''
    for change in ("rules SET days = NULL", f"messages SET extra = {written} WHERE id = 1"):
        await source.write(_run, f"UPDATE {change}")
    await _move(source, target)
    for query in (
        "SELECT count(*) FROM rules WHERE days IS NULL",
        "SELECT CAST(extra AS text) FROM messages WHERE id = 1",
    ):
        before, after = [(await each.read(_run, query)) for each in (source, target)]
        assert before == after
        assert before in (1, written[1:-1])
    await source.close()
    await target.close()


async def test_a_move_goes_on_where_it_was_broken_off_and_no_service_starts_before(
    urls: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "STEP", 2)
    await _fill(urls[0], tmp_path / "old")
    source, target = _open(urls[0]), _open(urls[1])
    steps = 0
    while True:
        left = steps + 1

        def stop(*_: object) -> None:
            nonlocal left
            left -= 1
            if not left:
                raise KeyboardInterrupt

        try:
            moved = await _move(source, target, stop)
        except KeyboardInterrupt:
            steps += 7
            with pytest.raises(SetupError, match="not finished"):
                await is_current(target)
        else:
            break
    assert steps > 20
    assert moved.rows["messages"] == 6
    assert await is_current(target)
    await source.close()
    await target.close()
    async with open_kit(urls[1], tmp_path / "new") as kit:
        assert await kit.find(q="café") == ["4", "3", "2", "1", "0"]


async def test_nothing_is_moved_while_a_service_runs_or_over_what_is_there(
    urls: tuple[str, str], tmp_path: Path
) -> None:
    await _fill(urls[0], tmp_path / "old")
    source, target = _open(urls[0]), _open(urls[1])
    beat = text(
        "INSERT INTO processes"
        " (id, kind, host, pid, started_at, seen_at, spool_depth, runs_workers) SELECT"
        " 'one', 'web', 'here', 7, arrived_at, arrived_at, 0, true FROM messages LIMIT 1"
    )
    await source.write(lambda conn: conn.execute(beat))
    with pytest.raises(SetupError, match="web on here"):
        await move(source, target, "the old one", lambda *_: None, datetime.now(UTC))
    await _move(source, target)
    with pytest.raises(SetupError, match="has been used"):
        await _move(source, target)
    await source.close()
    await target.close()


async def test_a_row_that_differs_is_told(urls: tuple[str, str], tmp_path: Path) -> None:
    await _fill(urls[0], tmp_path / "old")
    source, target = _open(urls[0]), _open(urls[1])
    spoil = text("UPDATE messages SET body = 'spoiled' WHERE provider_id = '3'")

    class Stop(Exception):
        pass

    def stop(stage: str, _: int) -> None:
        if stage == "index":
            raise Stop

    with pytest.raises(Stop):
        await _move(source, target, stop)
    await target.write(lambda conn: conn.execute(spoil))
    with pytest.raises(SetupError, match="rows of messages are not alike"):
        await _move(source, target)
    await source.close()
    await target.close()
