"""Notifies waiting loops, here and in other processes, that there is something new."""

import asyncio
import contextlib
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import structlog

from app.domain.errors import Unavailable
from app.storage.db.database import Database, PostgresDatabase
from app.storage.db.postgres.pooled import is_pooled

if TYPE_CHECKING:
    from collections.abc import Callable

CHANNEL = "letterbox"
# Many changes within this time are one notification.
COALESCE_SECONDS = 0.02
RECONNECT_SECONDS = 1.0
CHECK_SECONDS = 10.0
# What goes before a note, which is no signal.
NOTE = "note "
# While the server is away, no more than this waits to be passed on.
MOST_OUTGOING = 1_000

log = structlog.get_logger("letterbox.wakeups")


class Wakeups:
    """Named signals. A signal is only a hint: every loop also checks regularly.

    Between processes they use PostgreSQL's NOTIFY, on a connection of their own: inside the
    intake's transaction a hanging listener could fill the server's queue and make commits fail.
    Through a pooler by transaction there are none, so what others did is seen a second later.

    Notes go the same way. Each is a line that `on_note` gets in every process, or, if the server is
    away, only here: nobody may depend on one.
    """

    def __init__(self, database: Database) -> None:
        self._database = database if isinstance(database, PostgresDatabase) else None
        self._signals: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._subscribed: defaultdict[str, list[asyncio.Event]] = defaultdict(list)
        self._outgoing: set[str] = set()
        self._something = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.on_note: Callable[[str], None] = lambda _: None

    def start(self) -> None:
        if self._database is not None:
            self._task = asyncio.create_task(self._carry(self._database))

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def notify(self, name: str) -> None:
        """Wake whoever waits for `name`, in every process."""
        self._set(name)
        self._send(name)

    def pass_on(self, note: str) -> None:
        """Hand a note to `on_note`, in every process."""
        self.on_note(note)
        if len(self._outgoing) < MOST_OUTGOING:
            self._send(NOTE + note)

    def _send(self, text: str) -> None:
        if self._database is not None:
            self._outgoing.add(text)
            self._something.set()

    def subscribe(self, *names: str) -> asyncio.Event:
        """A signal of one's own, set with each of `names`; whoever has it clears it.

        `wait` is for one waiter for each name, because it clears what all of them share.
        """
        signal = asyncio.Event()
        for name in names:
            self._subscribed[name].append(signal)
        return signal

    def _set(self, name: str) -> None:
        self._signals[name].set()
        for signal in self._subscribed[name]:
            signal.set()

    async def wait(self, name: str, seconds: float) -> None:
        """Return when `name` was notified since the last wait, or after `seconds`."""
        signal = self._signals[name]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await signal.wait()
        signal.clear()

    async def _carry(self, database: PostgresDatabase) -> None:
        while True:
            try:
                connection = await database.connector.connect()
                if is_pooled(connection):
                    # It cannot listen, and then there is nobody to send to either.
                    connection.terminate()
                    self._database = None
                    log.info("wakeups_polling", reason="a pooler by transaction has no LISTEN")
                    return
                await self._carry_over(database, connection)
            except Exception as error:  # noqa: BLE001 signals are only hints: try again later
                log.debug("wakeups_silent", error=str(error))
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _carry_over(self, database: PostgresDatabase, connection: Any) -> None:
        try:
            await connection.add_listener(CHANNEL, self._on_notify)
            while not database.connector.is_behind(connection):
                try:
                    async with asyncio.timeout(CHECK_SECONDS):
                        await self._something.wait()
                except TimeoutError:
                    # A connection that only listens would not notice that the server is gone.
                    await connection.execute("SELECT")
                self._something.clear()
                await asyncio.sleep(COALESCE_SECONDS)
                names, self._outgoing = sorted(self._outgoing), set()
                for name in names:
                    await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, name)
        finally:
            connection.terminate()

    def _on_notify(self, connection: Any, pid: int, _channel: str, name: str) -> None:
        # Our own were set at once: setting them again would make loops check for nothing.
        if pid == connection.get_server_pid():
            return
        if name.startswith(NOTE):
            self.on_note(name.removeprefix(NOTE))
        else:
            self._set(name)


async def notify_once(database: Database, name: str) -> None:
    """For a command that ends right away: wake the service's processes."""
    if isinstance(database, PostgresDatabase):
        with contextlib.suppress(Unavailable, OSError):
            connection = await database.connector.connect()
            await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, name)
            await connection.close()
