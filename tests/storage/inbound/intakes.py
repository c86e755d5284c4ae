"""An intake with what stands around it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from app.domain.inbound.messages import InboundMessage
from app.domain.inbound.queries import MessageFilter
from app.storage.db.database import Connection, Database
from app.storage.inbound.inbound import make_inserter
from app.storage.inbound.intake import Intake
from app.storage.inbound.search import list_messages
from app.storage.spool.identity import Identity
from tests.conftest import NOW
from tests.support.messages import make_message

if TYPE_CHECKING:
    from app.domain.errors import NothingDurable


@dataclass
class Listener:
    """Counts what the intake tells."""

    stored: int = 0
    spooled: int = 0
    adopted: list[str] = field(default_factory=list)
    refused: list[Path] = field(default_factory=list)
    damaged: list[Path] = field(default_factory=list)
    moved: list[tuple[Path, int]] = field(default_factory=list)
    foreign: list[tuple[Path, str]] = field(default_factory=list)

    def on_stored(self, rows: int) -> None:
        self.stored += rows

    def on_kept(self, rows: int, *, in_spool: bool, seconds: float) -> None:
        self.spooled += rows if in_spool else 0

    def on_adopted(self, process_id: str) -> None:
        self.adopted.append(process_id)

    def on_refused(self, path: Path) -> None:
        self.refused.append(path)

    def on_damaged(self, path: Path) -> None:
        self.damaged.append(path)

    def on_foreign(self, path: Path, place: str) -> None:
        self.foreign.append((path, place))

    def on_spool_moved(self, path: Path, lost: int) -> None:
        self.moved.append((path, lost))


async def keep(intake: Intake, message: InboundMessage) -> None:
    """Return once the message is on disk. Raises NothingDurable."""
    told: asyncio.Future[NothingDurable | None] = asyncio.get_running_loop().create_future()
    intake.put(message, told.set_result)
    if error := await told:
        raise error


@dataclass
class Kit:
    """An intake with what stands around it."""

    intake: Intake
    listener: Listener
    database: Database
    spool: Path

    async def keep(self, *numbers: int) -> None:
        async with asyncio.timeout(20):
            await asyncio.gather(*(keep(self.intake, make_message(number)) for number in numbers))

    async def stored(self) -> list[str | None]:
        """The ids in the database, oldest stored first."""
        page = await self.database.read(list_messages, MessageFilter(), before=None, limit=500)
        return [message.provider_id for message in reversed(page.messages)]


def make_kit(
    database: Database, spool: Path, name: str = "first", identity: Identity | None = None
) -> Kit:
    listener = Listener()
    intake = Intake(
        make_inserter(database),
        spool,
        now=lambda: NOW,
        process_id=name,
        listener=listener,
        identity=identity,
    )
    return Kit(intake, listener, database, spool)


async def wait_for(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 the intake rings no bell for tests
            await asyncio.sleep(0.02)


def forbid_key(conn: Connection, key: bytes) -> None:
    """Have the database refuse one row whatever else is in it."""
    if conn.dialect.name == "sqlite":
        conn.exec_driver_sql(
            "CREATE TRIGGER forbid BEFORE INSERT ON messages"
            f" WHEN NEW.dedupe_key = x'{key.hex()}' BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
    else:
        conn.exec_driver_sql(
            f"ALTER TABLE messages ADD CHECK (dedupe_key <> decode('{key.hex()}', 'hex'))"
        )
