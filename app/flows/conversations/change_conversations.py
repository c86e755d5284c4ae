"""Marks conversations as done or open, assigns them, and adds notes."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.domain.errors import InvalidInput, NotFound
from app.domain.lengths import check_length
from app.flows.access.configure import accept
from app.storage.access.audit import add_audit
from app.storage.access.members import get_member
from app.storage.conversations import notes
from app.storage.conversations.conversations import (
    Conversation,
    State,
    change_conversations,
    get_conversations,
    lock_conversations,
)
from app.storage.conversations.notes import Note
from app.storage.db.database import Connection, Database
from app.storage.operations.events import add_events

LONGEST_NOTE = 5_000


@dataclass(frozen=True, slots=True)
class ConversationChange:
    """What to change; None leaves it as it is. `unassign` takes the assignment away."""

    state: State | None = None
    assigned_to: int | None = None
    unassign: bool = False

    def make_values(self) -> dict[str, Any]:
        values: dict[str, Any] = {}
        if self.state is not None:
            values["state"] = self.state
        if self.assigned_to is not None or self.unassign:
            values["assigned_to"] = self.assigned_to
        return values


async def change_all(
    database: Database,
    ids: Collection[int],
    change: ConversationChange,
    *,
    check: Callable[[Conversation], None] = accept,
    who: str,
    now: datetime,
) -> list[Conversation]:
    """Change conversations in one transaction; those that are gone are left out of the result.

    `check` may object to what each was. Raises InvalidInput for a member who is not active.
    """
    return await database.write(_change_all, ids, change, check, who, now)


def _change_all(
    conn: Connection,
    ids: Collection[int],
    change: ConversationChange,
    check: Callable[[Conversation], None],
    who: str,
    now: datetime,
) -> list[Conversation]:
    if change.assigned_to is not None:
        _check_member(conn, change.assigned_to)
    found = lock_conversations(conn, ids)
    for each in found:
        check(each)
    values = change.make_values()
    changed = [each for each in found if _differs(each, values)]
    if changed:
        changed_ids = [each.id for each in changed]
        change_conversations(conn, changed_ids, values, now)
        for each in changed:
            _audit(conn, each, change, who, now)
        add_events(conn, [("conversation", each) for each in changed_ids], now)
    return get_conversations(conn, [each.id for each in found])


def _check_member(conn: Connection, member_id: int) -> None:
    try:
        is_active = get_member(conn, member_id).state == "active"
    except NotFound:
        is_active = False
    if not is_active:
        raise InvalidInput("there is no such active member", field="assigned_to", code="not-found")


def _differs(found: Conversation, values: dict[str, Any]) -> bool:
    """Whether the change does anything; "done" also ends what needs attention."""
    if values.get("state") == "done" and found.attention:
        return True
    return any(getattr(found, name) != value for name, value in values.items())


def _audit(
    conn: Connection, found: Conversation, change: ConversationChange, who: str, now: datetime
) -> None:
    detail = {"source": found.source, "dest": found.dest}
    if change.state is not None:
        action = "conversation.done" if change.state == "done" else "conversation.open"
        add_audit(conn, who, action, str(found.id), detail, now)
    if change.unassign or change.assigned_to is not None:
        given = {**detail, "to": change.assigned_to}
        add_audit(conn, who, "conversation.assign", str(found.id), given, now)


async def add_note(
    database: Database, conversation_id: int, body: str, *, who: str, now: datetime
) -> Note:
    """Add a note for the other members; it is never sent.

    Raises NotFound, and InvalidInput for an empty or too long note.
    """
    body = body.strip()
    check_length("body", body, LONGEST_NOTE, least=1)

    def add(conn: Connection) -> Note:
        if not lock_conversations(conn, [conversation_id]):
            raise NotFound("no such conversation")
        added = notes.add_note(conn, conversation_id, str(who), body, now)
        add_audit(conn, who, "conversation.note", str(conversation_id), {"note": added.id}, now)
        add_events(conn, [("conversation", conversation_id)], now)
        return added

    return await database.write(add)
