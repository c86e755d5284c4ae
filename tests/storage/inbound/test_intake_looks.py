"""The intake where nobody knows for a moment whether the database is still the one in place."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from pathlib import Path

import pytest

from app.domain.inbound.messages import InboundMessage
from app.storage.db.database import Database
from app.storage.inbound.inbound import Inserter, make_inserter
from app.storage.inbound.intake import Intake
from tests.conftest import NOW
from tests.storage.inbound.intakes import Kit, Listener, wait_for


class Doubtful(Inserter):
    """Stores all it is given, and answers a look as the test says."""

    def __init__(self, inner: Inserter) -> None:
        self.inner = inner
        self.answer: bool | Exception = True

    async def insert(self, batch: Sequence[InboundMessage], stored_at: datetime) -> int:
        return await self.inner.insert(batch, stored_at)

    async def probe(self, now: datetime) -> None:
        self.look()
        await self.inner.probe(now)

    def look(self) -> bool:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def abandon(self) -> None:
        self.inner.abandon()


@pytest.fixture
def inserter(database: Database) -> Doubtful:
    return Doubtful(make_inserter(database))


@pytest.fixture
async def kit(inserter: Doubtful, database: Database, tmp_path: Path) -> AsyncIterator[Kit]:
    listener = Listener()
    intake = Intake(
        inserter, tmp_path / "spool", now=lambda: NOW, process_id="first", listener=listener
    )
    await intake.start()
    await intake.recover()
    yield Kit(intake, listener, database, tmp_path / "spool")
    await intake.close()


@pytest.mark.parametrize(("is_seen", "kept"), [(False, 3), (True, 1)])
async def test_what_was_committed_since_the_last_good_look_is_spooled_as_well(
    kit: Kit, inserter: Doubtful, is_seen: bool, kept: int
) -> None:
    inserter.answer = is_seen
    await kit.keep(1)
    await kit.keep(2)
    assert kit.intake.depth == 0
    kit.intake._look()
    inserter.answer = OSError("another file is at its path")
    # Whether or not more comes.
    await wait_for(lambda: not kit.intake.direct and kit.intake.depth == kept - 1)
    await kit.keep(3)
    assert kit.intake.depth == kept
    inserter.answer = True
    await wait_for(lambda: kit.intake.direct)
    assert sorted(map(str, await kit.stored())) == ["1", "2", "3"]
    assert kit.intake.depth == 0


async def test_what_is_in_doubt_at_the_end_is_spooled(kit: Kit, inserter: Doubtful) -> None:
    inserter.answer = False
    await kit.keep(1)
    await kit.intake.close()
    [file] = kit.spool.glob("*.sqlite3")
    assert file.stat().st_size
