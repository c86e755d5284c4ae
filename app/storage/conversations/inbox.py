"""What the inbox shows besides its list: our numbers, people by name or number, what is unread."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from app.domain.inbound.messages import make_number_key
from app.domain.keywords import fold_text
from app.storage.conversations.conversations import (
    Conversation,
    get_conversations,
    select_conversations,
)
from app.storage.inbound.search import Message, get_messages
from app.storage.tables.access import numbers
from app.storage.tables.conversations import conversations
from app.storage.tables.inbound import message_index, number_last_seen

# Names are searched for among the newest conversations: no index has parts of names.
PEOPLE_ROWS = 5_000
# As many as a menu can hold.
OUR_NUMBERS = 200


@dataclass(frozen=True, slots=True)
class LabelledNumber:
    """A number that is configured, or was texted; `label` is "" if it has none."""

    number: str
    label: str


def list_our_numbers(conn: Connection) -> list[LabelledNumber]:
    """The configured numbers by label, then others that were texted."""
    query = select(numbers.c.number, numbers.c.label).order_by(numbers.c.id).limit(OUR_NUMBERS)
    configured = dict(conn.execute(query).all())
    texted = conn.execute(select(number_last_seen.c.dest).limit(OUR_NUMBERS)).scalars()
    known = sorted(configured.items(), key=lambda each: (each[1].casefold(), each[0]))
    others = sorted(number for number in texted if number and number not in configured)
    return [LabelledNumber(*each) for each in known] + [LabelledNumber(each, "") for each in others]


def find_people(
    conn: Connection, q: str, *, digits: str, dest: str | None, limit: int
) -> list[Conversation]:
    """Conversations whose name and sender hold every word of `q`, or whose number holds `digits`.

    A complete sender is always found, anything else among the newest PEOPLE_ROWS conversations.
    """
    table = conversations.c
    ours = [] if dest is None else [table.dest_key == make_number_key(dest)]
    newest = select_conversations().where(*ours).order_by(table.updated_at.desc(), table.id.desc())
    keys = [make_number_key(whole) for whole in (digits, q) if whole]
    exact = newest.where(table.source_key.in_(keys)).limit(limit)
    found = dict.fromkeys(row.id for row in conn.execute(exact))
    words = fold_text(q).split()
    for row in conn.execute(newest.limit(PEOPLE_ROWS)):
        if len(found) >= limit:
            break
        folded = fold_text(f"{row.name} {row.source}")
        if all(word in folded for word in words) or (digits and digits in row.source):
            found[row.id] = None
    return get_conversations(conn, list(found))


def find_conversation(conn: Connection, pair_key: bytes) -> int | None:
    """The conversation of a pair; None if there is none."""
    query = select(conversations.c.id).where(conversations.c.pair_key == pair_key)
    return conn.execute(query).scalar()


def count_unread(conn: Connection, *, at_most: int) -> int:
    """How many conversations have unread texts; no more than `at_most` are counted."""
    unread = select(conversations.c.id).where(conversations.c.unread > 0).limit(at_most)
    found: int = conn.execute(select(func.count()).select_from(unread.subquery())).scalar_one()
    return found


def find_newest_id(conn: Connection) -> int:
    """The id of the newest text that was handled; 0 if there is none."""
    return conn.execute(select(func.max(message_index.c.message_id))).scalar() or 0


def list_unread_after(conn: Connection, message_id: int, *, limit: int) -> Sequence[Message]:
    """The newest unread texts after that one, newest first."""
    table = message_index.c
    newest = (
        select(table.message_id)
        .where(table.unread, table.message_id > message_id)
        .order_by(table.message_id.desc())
        .limit(limit)
    )
    ids = conn.execute(newest).scalars().all()
    found = get_messages(conn, ids)
    return [found[each] for each in ids if each in found]
