"""Which conversations wait for a person's answer, for those who are notified of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from app.domain.inbound.messages import make_number_key
from app.storage.conversations.conversations import get_conversations
from app.storage.tables.conversations import conversations
from app.storage.tables.inbound import message_index, messages

# What needs no answer of a person: a rule has answered, or it was about opting out.
SETTLED = ("replied", "opt-out", "opt-in")


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A conversation whose person waits; `name` may be ""."""

    conversation_id: int
    name: str
    source: str
    dest: str


def find_unanswered(
    conn: Connection, message_ids: Sequence[int], numbers: Sequence[str]
) -> list[Unanswered]:
    """The open conversations of messages that nobody has answered, oldest first.

    `numbers` are those of ours that count, none for all. Nobody answers a duplicate.
    """
    query = (
        select(message_index.c.conversation_id)
        .join(messages, messages.c.id == message_index.c.message_id)
        .where(
            messages.c.id.in_(message_ids),
            messages.c.duplicate_of.is_(None),
            func.coalesce(messages.c.outcome, "").not_in(SETTLED),
        )
        .order_by(messages.c.id)
    )
    if numbers:
        keys = [make_number_key(number) for number in numbers]
        query = query.where(message_index.c.dest_key.in_(keys))
    ids = list(dict.fromkeys(conn.execute(query).scalars()))
    return [
        Unanswered(each.id, each.name, each.source, each.dest)
        for each in get_conversations(conn, ids)
        if each.awaits_answer and each.state == "open"
    ]


def count_unread_conversations(conn: Connection, *, at_most: int) -> int:
    """Conversations with unread texts, counted up to `at_most`."""
    unread = select(conversations.c.id).where(conversations.c.unread > 0).limit(at_most)
    return conn.execute(select(func.count()).select_from(unread.subquery())).scalar_one()
