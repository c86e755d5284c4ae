"""Reads the events for the endpoints of a process, once for all that are at the same place."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.domain.webhooks.payloads import find_types
from app.domain.webhooks.urls import name_host
from app.flows.operations.changes import ChangePage, Render, read_changes
from app.flows.webhooks.lanes import Lane
from app.flows.webhooks.payloads import make_payloads
from app.storage.db.database import Connection, Database
from app.storage.operations.alerts import raise_alert
from app.storage.operations.events import read_event_bounds

PAGE_EVENTS = 100

GAP = "webhook-gap"


@dataclass
class Feed:
    """Makes the payloads of each page once, for whoever wants them."""

    database: Database
    render: Render
    now: Callable[[], datetime]

    async def read(self, lanes: Sequence[Lane]) -> bool:
        """One page for each of them; returns whether an alert was raised. Raises Unavailable."""
        by_place: dict[int, list[Lane]] = {}
        for lane in lanes:
            by_place.setdefault(lane.read_to, []).append(lane)
        is_told = False
        for place, some in by_place.items():
            first, page = await self.database.read(_read, place)
            if first > place:
                await self.database.write(_tell_gap, some, self.now())
                is_told = True
            self._hand_out(page, some)
        return is_told

    def _hand_out(self, page: ChangePage, lanes: Sequence[Lane]) -> None:
        wanted = set().union(*(lane.hook.types for lane in lanes))
        changes = (each for each in page.changes if wanted.intersection(find_types(each.kind)))
        payloads = [made for each in changes for made in make_payloads(each, self.render)]
        for lane in lanes:
            lane.add_events(payloads, page.place)
            lane.is_at_end = page.is_last


def _read(conn: Connection, place: int) -> tuple[int, ChangePage]:
    """The place from which events are still kept, and those after it."""
    oldest, newest = read_event_bounds(conn)
    first = min(max(place, oldest - 1), newest)
    return first, read_changes(conn, after=first, limit=PAGE_EVENTS)


def _tell_gap(conn: Connection, lanes: Sequence[Lane], now: datetime) -> None:
    for lane in lanes:
        raise_alert(
            conn,
            GAP,
            str(lane.hook.id),
            text=f"The webhook at {name_host(lane.hook.url)} has missed events: it was behind by"
            " more than the seven days for which they are kept. It goes on with the oldest that is"
            " left.",
            action="Have the program behind it read the lists of the interface (/messages,"
            " /outbound, /opt-outs) for that time.",
            now=now,
        )
