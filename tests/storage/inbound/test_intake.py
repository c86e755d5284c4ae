"""The intake: durable before the answer, in the database or in the spool."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from structlog.testing import capture_logs

from app.domain.errors import NothingDurable
from app.domain.inbound.queries import MessageFilter
from app.provider.forwards.forwarding import parse, read_request
from app.storage.db.database import Connection, Database
from app.storage.db.sqlite.database import SqliteDatabase
from app.storage.inbound.search import list_messages
from app.storage.spool.identity import Identity
from tests.conftest import NOW
from tests.storage.inbound.intakes import Kit, forbid_key, keep, make_kit, wait_for
from tests.support.messages import make_message


@pytest.fixture
async def kit(database: Database, tmp_path: Path) -> AsyncIterator[Kit]:
    made = make_kit(database, tmp_path / "spool")
    await made.intake.start()
    yield made
    await made.intake.close()


async def test_before_the_database_is_reached_messages_wait_in_the_spool(kit: Kit) -> None:
    await kit.keep(1, 2, 3)
    assert kit.intake.depth == 3
    assert (kit.intake.direct, kit.intake.can_acknowledge) == (False, True)
    assert await kit.stored() == []
    await kit.intake.recover()
    assert await kit.stored() == ["1", "2", "3"]
    assert kit.intake.depth == 0
    assert kit.intake.direct


async def test_kept_messages_are_in_the_database(kit: Kit) -> None:
    await kit.intake.recover()
    await kit.keep(*range(1, 200))
    assert sorted(await kit.stored(), key=lambda each: int(each or 0)) == [
        str(number) for number in range(1, 200)
    ]
    assert kit.listener.spooled == 0


async def test_what_fails_beside_a_batch_ends_no_other(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    await kit.intake.recover()

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")  # figures lie in mapped files

    told: list[NothingDurable | None] = []
    with monkeypatch.context() as broken:
        broken.setattr(kit.listener, "on_kept", fail)
        kit.intake.put(make_message(1), told.append)
        await wait_for(lambda: bool(told))
    async with asyncio.timeout(10):
        await kit.keep(2)
    assert await kit.stored() == ["1", "2"]
    # It is told once, and that it is on disk.
    assert told == [None]


async def test_whatever_goes_wrong_each_caller_is_told(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    with monkeypatch.context() as broken:
        broken.setattr(kit.intake, "_keep_batch", fail)
        with pytest.raises(NothingDurable):
            await kit.keep(1)
    await kit.keep(2)


async def test_a_redelivery_is_kept_but_not_stored_again(kit: Kit) -> None:
    await kit.intake.recover()
    await kit.keep(*[7] * 100)
    await kit.keep(7)
    assert await kit.stored() == ["7"]
    assert kit.listener.stored == 1


async def test_one_row_that_can_never_be_stored_spoils_no_other(kit: Kit) -> None:
    await kit.intake.recover()
    # NUL is more than PostgreSQL's text takes, a lone surrogate more than SQLite's.
    odd = "\ud800\x00"
    texts = dict.fromkeys(("provider_id", "source", "dest", "body", "received_raw"), odd)
    bad = make_message(5, **texts, merge_fields={odd: odd}, extra={odd: odd}, raw=b"what came")
    async with asyncio.timeout(20):
        await asyncio.gather(
            *(keep(kit.intake, make_message(number)) for number in range(1, 5)),
            keep(kit.intake, bad),
            *(keep(kit.intake, make_message(number)) for number in range(6, 9)),
        )
    page = await kit.database.read(list_messages, MessageFilter(), before=None, limit=50)
    assert len(page.messages) == 8
    plain = next(message for message in page.messages if message.provider_id is None)
    assert plain.problems == "control"
    assert plain.raw == b"what came"
    assert kit.intake.direct


async def test_a_row_that_cannot_even_be_stored_plainly_is_set_aside(kit: Kit) -> None:
    await kit.intake.recover()
    await kit.database.write(forbid_key, make_message(5).dedupe_key)
    await kit.keep(4, 5, 6)
    assert await kit.stored() == ["4", "6"]
    assert b"text 5" in kit.listener.refused[0].read_bytes()
    assert kit.intake.direct


async def test_what_a_dead_process_left_is_drained_and_its_file_goes(
    database: Database, tmp_path: Path
) -> None:
    dead = make_kit(database, tmp_path / "spool", "dead")
    await dead.intake.start()
    await dead.keep(1, 2)
    await dead.intake.close()
    heir = make_kit(database, tmp_path / "spool", "heir")
    await heir.intake.start()
    await heir.intake.recover()
    assert await heir.stored() == ["1", "2"]
    assert heir.listener.adopted == ["dead"]
    assert list((tmp_path / "spool").glob("dead.*")) == []
    await heir.intake.close()


@pytest.mark.parametrize("is_told_later", [False, True])
async def test_what_was_left_for_another_database_stays_where_it_is(
    database: Database, tmp_path: Path, is_told_later: bool
) -> None:
    async def start(name: str, place: str) -> Kit:
        identity = Identity(place)
        kit = make_kit(database, tmp_path / "spool", name, None if is_told_later else identity)
        await kit.intake.start()
        if is_told_later:
            await kit.intake.identify(identity)
        return kit

    dead = await start("dead", "elsewhere")
    await dead.keep(1, 2)
    await dead.intake.close()
    heir = await start("heir", "here")
    await heir.intake.recover()
    assert await heir.stored() == []
    assert [place for _, place in heir.listener.foreign] == ["elsewhere"]
    await heir.intake.close()


async def test_what_the_spool_cannot_take_while_it_is_drained_goes_to_the_database(
    kit: Kit,
) -> None:
    await kit.keep(*range(1, 5001))
    kit.spool.rename(kit.spool.with_name("elsewhere"))
    kit.spool.write_text("a file, not a folder")
    with pytest.raises(NothingDurable):
        await kit.keep(5001)
    recovering = asyncio.create_task(kit.intake.recover())
    await wait_for(lambda: kit.listener.stored > 0)
    ahead = 0
    with capture_logs() as logged:
        while not kit.intake.direct:
            await kit.keep(6000 + ahead)
            ahead += 1
    await recovering
    assert ahead > 0
    # Each is told once.
    assert not [each for each in logged if each["event"] in {"not_told", "nothing_durable"}]
    assert kit.listener.stored == 5000 + ahead
    assert kit.listener.spooled == 5000


async def test_where_nothing_can_be_written_the_caller_is_told(
    database: Database, tmp_path: Path
) -> None:
    in_the_way = tmp_path / "spool"
    in_the_way.write_text("a file, not a folder")
    kit = make_kit(database, in_the_way)
    await kit.intake.start()
    with pytest.raises(NothingDurable):
        await kit.keep(1)
    assert not kit.intake.can_acknowledge
    await kit.intake.recover()
    await kit.keep(1)
    assert kit.intake.can_acknowledge
    await kit.intake.close()


async def test_a_forward_of_the_largest_size_spoils_no_batch_while_the_database_is_away(
    kit: Kit,
) -> None:
    zone = ZoneInfo("Europe/London")
    for byte in (b"\xff", b"\x01", b"\xe2\x82\xac", b'"'):
        size = 65_000 // len(byte)
        request = read_request(
            "POST",
            b"id=huge&auth=x&msg=" + byte * size,
            b"application/x-www-form-urlencoded; charset=utf-8",
            b"more=" + byte * size,
        )
        huge = parse(
            request.raw, request.fields, zone=zone, region="GB", arrived_at=NOW, nonce=byte
        )
        others = [make_message(number) for number in range(20)]
        async with asyncio.timeout(20):
            await asyncio.gather(*(keep(kit.intake, each) for each in [*others, huge]))
    await kit.intake.recover()
    stored = await kit.stored()
    assert len(stored) == 20 + 4
    assert stored.count("huge") == 4


@pytest.mark.parametrize("early", [True, False])
async def test_a_message_that_waited_for_another_batch_has_that_much_less_time(
    sqlite_url: str, tmp_path: Path, *, early: bool
) -> None:
    """A message's deadline counts from its arrival, however long its batch had to wait."""
    database = SqliteDatabase(Path(sqlite_url.removeprefix("sqlite:///")))
    kit = make_kit(database, tmp_path / "spool")
    await kit.intake.start()
    await kit.intake.recover()
    loop = asyncio.get_running_loop()
    begun = threading.Event()

    def hold_up(_: Connection) -> None:
        begun.set()
        time.sleep(0.6)

    first = database.writer.submit(hold_up)
    await asyncio.to_thread(begun.wait, 10)
    ahead = asyncio.create_task(kit.keep(1))
    await asyncio.sleep(0.01)
    began = loop.time()
    waiting = asyncio.create_task(kit.keep(2))
    await asyncio.sleep(0.5)
    # It runs between the two batches.
    hang = database.writer.submit(lambda _: time.sleep(2.0 if early else 0.1), intake=True)
    await ahead
    await waiting
    taken = loop.time() - began
    await asyncio.gather(first, hang)
    assert kit.listener.spooled == (1 if early else 0)
    assert taken < 1.4
    await kit.intake.close()
    await database.close()


async def test_closing_finishes_what_was_accepted(kit: Kit) -> None:
    await kit.intake.recover()
    pending = [asyncio.create_task(keep(kit.intake, make_message(n))) for n in range(1, 50)]
    await asyncio.sleep(0)
    await kit.intake.close()
    await asyncio.gather(*pending)
    assert len(await kit.stored()) == 49
