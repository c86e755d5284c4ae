"""Streams changes: one reader of the events per process, for any number of clients."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterable

import structlog

from app.domain.errors import Unavailable
from app.flows.operations.changes import Change, ChangePage, Note, read_changes
from app.storage.db.database import Connection, Database
from app.storage.db.wakeups import Wakeups
from app.storage.operations.events import read_event_bounds

PAGE_EVENTS = 200
POLL_SECONDS = 1.0
# A client this far behind reads too slowly, and has to reconnect.
MAX_WAITING = 1000

# The first event of a stream: only its id matters, from which a client can resume.
READY = "ready"
# Events between the client's place and this one were deleted: it must read the lists.
RESET = "reset"

# The names of events in the streams of programs; other kinds are not streamed.
STREAMED = {
    READY: READY,
    RESET: RESET,
    "message": "message",
    "replay": "message",
    "outbound": "outbound",
    "status": "status",
    "alert": "alert",
    "alert-closed": "alert",
}
# Pages hear of changed conversations as well.
STREAMED_TO_PAGES = STREAMED | {"conversation": "conversation"}

log = structlog.get_logger("letterbox.event_stream")


class Follower:
    """One client's position in the feed."""

    def __init__(self, tail: "EventTail", *, takes_notes: bool = False) -> None:
        self.takes_notes = takes_notes
        self._tail = tail
        self._waiting: deque[Change] = deque()
        self._news = asyncio.Event()
        self._ended = False

    def end(self) -> None:
        """Let `follow` finish what is waiting and return."""
        self._ended = True
        self._news.set()

    def push(self, changes: Iterable[Change]) -> None:
        """A client that reads too slowly is ended."""
        if self._ended:
            return
        self._waiting.extend(changes)
        if len(self._waiting) > MAX_WAITING:
            log.info("client_too_slow", waiting=len(self._waiting))
            self.end()
        self._news.set()

    async def follow(self, after: int | None) -> AsyncGenerator[Change, None]:
        """Every change after that event (None: from now on), without a gap or a double.

        From now on begins with READY; where events are gone there is a RESET. Raises Unavailable.
        """
        place = after
        if place is not None:
            async for change in self._catch_up(place):
                place = change.id
                yield change
        start = await self._tail.join(self)
        try:
            if place is None:
                place = start
                yield Change(place, READY)
            # Events between the last page and the moment of joining.
            async for change in self._catch_up(place, until=start):
                place = change.id
                yield change
            async for change in self._listen():
                if isinstance(change.subject, Note):
                    yield change
                elif change.id > place or change.kind == RESET:
                    place = change.id
                    yield change
        finally:
            self._tail.leave(self)

    async def _catch_up(self, place: int, until: int | None = None) -> AsyncIterator[Change]:
        while not self._ended and (until is None or place < until):
            page = await self._tail.read(place)
            for change in page.changes:
                yield change
            place = page.place
            if page.is_last:
                return

    async def _listen(self) -> AsyncIterator[Change]:
        while self._waiting or not self._ended:
            while self._waiting:
                yield self._waiting.popleft()
            if not self._ended:
                self._news.clear()
                await self._news.wait()


class EventTail:
    """Reads new events once for all followers; sleeps while there are no followers."""

    def __init__(self, database: Database, wakeups: Wakeups) -> None:
        self._database = database
        self._wakeups = wakeups
        self._followers: set[Follower] = set()
        self._place = 0
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def make_follower(self, *, takes_notes: bool = False) -> Follower:
        return Follower(self, takes_notes=takes_notes)

    def take_note(self, note: str) -> None:
        """Pass a note on to the followers that take notes: its kind, then what it is about."""
        kind, *about = note.split(" ")
        for follower in tuple(self._followers):
            if follower.takes_notes:
                follower.push([Change(0, kind, Note(tuple(about)))])

    async def read(self, place: int) -> ChangePage:
        """The events after that place, as far as a page goes. Raises Unavailable."""
        return await self._database.read(_read_page, place)

    async def join(self, follower: Follower) -> int:
        """Push every later change to the follower; returns the place after which they begin."""
        if self._task is None:
            _, newest = await self._database.read(read_event_bounds)
            self._begin(newest)
        self._followers.add(follower)
        if self._closed:
            follower.end()
        return self._place

    def leave(self, follower: Follower) -> None:
        self._followers.discard(follower)

    async def close(self) -> None:
        """End every follower."""
        self._closed = True
        for follower in self._followers:
            follower.end()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def _begin(self, place: int) -> None:
        if self._task is None and not self._closed:
            self._place = place
            self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while self._followers:
            try:
                page = await self.read(self._place)
                self._place = page.place
                for follower in tuple(self._followers):
                    follower.push(page.changes)
            except Unavailable:
                await asyncio.sleep(POLL_SECONDS)
            except Exception:
                log.exception("following_failed")
                await asyncio.sleep(POLL_SECONDS)
            else:
                if page.is_last:
                    await self._wakeups.wait("events", POLL_SECONDS)
        self._task = None


def _read_page(conn: Connection, place: int) -> ChangePage:
    oldest, newest = read_event_bounds(conn)
    if not oldest - 1 <= place <= newest:
        return ChangePage([Change(newest, RESET)], newest, is_last=True)
    return read_changes(conn, after=place, limit=PAGE_EVENTS)
