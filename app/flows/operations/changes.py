"""What the events are about: each event with its object as it is now."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from app.storage.conversations.conversations import Conversation, get_conversations
from app.storage.db.database import Connection
from app.storage.inbound.search import Message, get_messages
from app.storage.operations.alerts import Alert, get_alerts
from app.storage.operations.events import Event, read_events
from app.storage.outbound.texts import OutboundText, get_outbounds
from app.storage.rules.opt_outs import OptOutRecord, get_opt_out_records


@dataclass(frozen=True, slots=True)
class Note:
    """What only open pages are told, and nobody keeps: `about` says which pages need to know."""

    about: tuple[str, ...]


# The object of an event, and the function that renders it.
Subject = Message | OutboundText | Alert | OptOutRecord | Conversation | Note
Render = Callable[[Subject], str]


@dataclass(frozen=True, slots=True)
class Change:
    """`id` is the event's, `kind` one of storage/operations/events.py; `happened_at` is when the
    transaction that changed it began.

    The two kinds of the stream itself, READY and RESET, are about nothing. A note is no event: its
    id is 0, its kind `draft` or `read`.
    """

    id: int
    kind: str
    subject: Subject | None = None
    happened_at: datetime | None = None
    _written: dict[Render, str] = field(default_factory=dict, repr=False, compare=False)

    def write(self, render: Render) -> str:
        """Its text, made once for all who want it from the same function."""
        if self.subject is None:
            return "{}"
        if render not in self._written:
            self._written[render] = render(self.subject)
        return self._written[render]


@dataclass(frozen=True, slots=True)
class ChangePage:
    """`place` is the id of the last event that was looked at."""

    changes: list[Change]
    place: int
    is_last: bool


def read_changes(conn: Connection, *, after: int, limit: int) -> ChangePage:
    """The next events, as far as their objects still exist."""
    found = read_events(conn, after=after, limit=limit)
    subjects = _read_subjects(conn, found)
    changes = [
        Change(event.id, event.kind, subjects[event.kind, event.subject_id], event.created_at)
        for event in found
        if (event.kind, event.subject_id) in subjects
    ]
    last = found[-1].id if found else after
    return ChangePage(changes, last, is_last=len(found) < limit)


def _read_subjects(conn: Connection, found: Iterable[Event]) -> dict[tuple[str, int], Subject]:
    """The objects of the events as they are now, by kind and id."""
    ids: dict[str, set[int]] = {}
    for event in found:
        ids.setdefault(event.kind, set()).add(event.subject_id)

    def list_ids(*kinds: str) -> list[int]:
        return sorted(set().union(*(ids.get(kind, ()) for kind in kinds)))

    texts = _read(conn, get_outbounds, list_ids("outbound", "status"))
    messages = _read(conn, get_messages, list_ids("message", "replay"))
    alerts = _read(conn, get_alerts, list_ids("alert", "alert-closed"))
    wanted = {
        "message": messages,
        "replay": messages,
        "outbound": texts,
        "status": texts,
        "alert": alerts,
        "alert-closed": alerts,
        "conversation": _read(conn, _get_conversations, list_ids("conversation")),
        "opt-out": _read(conn, get_opt_out_records, list_ids("opt-out")),
    }
    return {
        (kind, number): subjects[number]
        for kind, subjects in wanted.items()
        for number in ids.get(kind, ())
        if number in subjects
    }


def _get_conversations(conn: Connection, ids: list[int]) -> dict[int, Conversation]:
    return {each.id: each for each in get_conversations(conn, ids)}


def _read(
    conn: Connection, get: Callable[[Connection, list[int]], Mapping[int, Subject]], ids: list[int]
) -> Mapping[int, Subject]:
    return get(conn, ids) if ids else {}
