"""What the inbox shows besides its list: our numbers, people by name or number, last texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from app.domain.inbound.messages import make_number_key
from app.domain.keywords import fold_text
from app.storage.conversations.conversations import Conversation, get_conversations
from app.storage.tables.access import numbers
from app.storage.tables.conversations import conversations
from app.storage.tables.inbound import number_last_seen
from app.storage.tables.outbound import outbound

# Names are searched for among the newest conversations: no index has parts of names.
PEOPLE_ROWS = 5_000
# As many as a menu can hold.
OUR_NUMBERS = 200


@dataclass(frozen=True, slots=True)
class LastSent:
    """The newest text of ours in a conversation, sent or waiting."""

    body: str
    origin: str
    created_at: datetime


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
    newest = (
        select(table.id, table.name, table.source)
        .where(*ours)
        .order_by(table.updated_at.desc(), table.id.desc())
    )
    keys = [make_number_key(whole) for whole in (digits, q) if whole]
    exact = newest.where(table.source_key.in_(keys)).limit(limit)
    found = dict.fromkeys(conn.execute(exact).scalars())
    words = fold_text(q).split()
    for conversation_id, name, source in conn.execute(newest.limit(PEOPLE_ROWS)):
        if len(found) >= limit:
            break
        folded = fold_text(f"{name} {source}")
        if all(word in folded for word in words) or (digits and digits in source):
            found[conversation_id] = None
    return get_conversations(conn, list(found))


def find_last_sent(conn: Connection, conversation_ids: Sequence[int]) -> dict[int, LastSent]:
    """By conversation, for those in which we have written."""
    newest = (
        select(func.max(outbound.c.id))
        .where(outbound.c.conversation_id == conversations.c.id)
        .scalar_subquery()
    )
    ids = conn.execute(select(newest).where(conversations.c.id.in_(conversation_ids))).scalars()
    query = select(
        outbound.c.conversation_id, outbound.c.body, outbound.c.origin, outbound.c.created_at
    ).where(outbound.c.id.in_([each for each in ids if each is not None]))
    return {row[0]: LastSent(*row[1:]) for row in conn.execute(query)}


def find_conversation(conn: Connection, pair_key: bytes) -> int | None:
    """The conversation of a pair; None if there is none."""
    query = select(conversations.c.id).where(conversations.c.pair_key == pair_key)
    return conn.execute(query).scalar()
