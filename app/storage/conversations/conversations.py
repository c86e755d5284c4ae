"""The conversations: one row for each pair of one of our numbers and a sender."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, Select, case, func, or_, select, text, update

from app.domain.errors import NotFound
from app.domain.inbound.messages import make_number_key, make_pair_key
from app.storage.conversations import attention
from app.storage.conversations.people import SHOWN_NAME
from app.storage.db.upserts import make_insert
from app.storage.inbound.search import Message, get_messages
from app.storage.outbound.texts import OutboundText, get_outbounds
from app.storage.rules.opt_outs import find_opted_out
from app.storage.tables.conversations import conversations, people
from app.storage.tables.outbound import outbound

State = Literal["open", "done"]
Needs = Literal["answer", "attention"]

MOST_OF_NUMBER = 100
# In the words of the partial index.
AWAITS_ANSWER = text("awaits_answer AND state = 'open'")


@dataclass(frozen=True, slots=True)
class Conversation:
    """`last_message` is the newest that came in, `last_outbound` our newest text; None: there is
    none.

    `updated_at` is when it arrived, or when somebody wrote by hand later. `attention` are the
    statuses of those of our texts that somebody should look at.
    """

    id: int
    dest: str
    source: str
    name: str
    last_message: Message | None
    last_outbound: OutboundText | None
    unread: int
    opted_out: bool
    state: State
    awaits_answer: bool
    attention: tuple[str, ...]
    assigned_to: int | None
    updated_at: datetime

    @property
    def is_last_ours(self) -> bool:
        """Whether the newest text is one of ours."""
        ours, theirs = self.last_outbound, self.last_message
        return ours is not None and (theirs is None or theirs.arrived_at < ours.created_at)

    @property
    def needs(self) -> Needs | None:
        """What somebody has to do there: a failed text comes before an answer."""
        if self.attention:
            return "attention"
        return "answer" if self.awaits_answer and self.state == "open" else None


@dataclass(frozen=True, slots=True)
class ConversationPage:
    """`next` is what the next page's `before` is; None at the end."""

    conversations: list[Conversation]
    next: tuple[datetime, int] | None


def select_conversations() -> Select[Any]:
    """All, each with its person's name as `name`: add conditions and an order."""
    named = conversations.outerjoin(people, people.c.number_key == conversations.c.source_key)
    return select(conversations, func.coalesce(SHOWN_NAME, "").label("name")).select_from(named)


def get_conversation(conn: Connection, conversation_id: int) -> Conversation:
    """Raises NotFound."""
    found = get_conversations(conn, [conversation_id])
    if not found:
        raise NotFound("no such conversation")
    return found[0]


def get_conversations(conn: Connection, ids: Sequence[int]) -> list[Conversation]:
    """In the order of the ids; those that do not exist are missing."""
    rows = conn.execute(select_conversations().where(conversations.c.id.in_(ids))).all()
    found = {each.id: each for each in make_conversations(conn, rows)}
    return [found[each] for each in ids if each in found]


def list_ids_of_number(conn: Connection, number_key: bytes) -> list[int]:
    """The newest MOST_OF_NUMBER conversations with a number, one for each number of ours."""
    table = conversations.c
    query = select(table.id).where(table.source_key == number_key)
    query = query.order_by(table.updated_at.desc(), table.id.desc()).limit(MOST_OF_NUMBER)
    return list(conn.execute(query).scalars())


def list_of_number(conn: Connection, number: str) -> list[Conversation]:
    """The same, whole."""
    return get_conversations(conn, list_ids_of_number(conn, make_number_key(number)))


def lock_conversations(conn: Connection, ids: Collection[int]) -> list[Conversation]:
    """Those of the ids that exist, locked in the order in which the handle flow locks them."""
    table = conversations.c
    query = select(table.id).where(table.id.in_(ids)).order_by(table.pair_key).with_for_update()
    return get_conversations(conn, conn.execute(query).scalars().all())


def open_conversations(
    conn: Connection,
    pairs: Iterable[tuple[str, str]],
    now: datetime,
    *,
    in_batch: bool = False,
) -> dict[bytes, int]:
    """Lock the conversations of pairs (our number, whom it writes to), and create new ones.

    A text to one person answers what they wrote, comes to the top of the list and ends the
    attention for what failed there. One of a batch does none of this. Locked in the same order as
    the handle flow does. Returns their ids by pair key.
    """
    rows = {
        make_pair_key(dest, source): {
            "dest_key": make_number_key(dest),
            "source_key": make_number_key(source),
            "dest": dest,
            "source": source,
            "unread": 0,
            "updated_at": now,
            "state": "done",
            "awaits_answer": False,
            "in_batch": in_batch,
        }
        for dest, source in pairs
    }
    statement = make_insert(conn, conversations)
    old, new = conversations.c, statement.excluded
    written = {"in_batch": new.in_batch}
    if not in_batch:
        is_later = new.updated_at > old.updated_at
        written["updated_at"] = case((is_later, new.updated_at), else_=old.updated_at)
        written["awaits_answer"] = new.awaits_answer
    upsert = statement.on_conflict_do_update(index_elements=["pair_key"], set_=written)
    returned = upsert.returning(old.id, old.pair_key, attention.HAS_ATTENTION)
    found = conn.execute(returned, [{"pair_key": key, **row} for key, row in sorted(rows.items())])
    ids: dict[bytes, int] = {}
    troubled = []
    for conversation_id, pair_key, has_attention in found:
        ids[pair_key] = conversation_id
        if has_attention and not in_batch:
            troubled.append(conversation_id)
    if troubled:
        attention.end_attention(conn, troubled, now)
    return ids


def list_assigned(conn: Connection, member_id: int, limit: int) -> list[int]:
    """The ids of some conversations that are assigned to a member."""
    query = select(conversations.c.id).where(conversations.c.assigned_to == member_id)
    return list(conn.execute(query.limit(limit)).scalars())


def change_conversations(
    conn: Connection, ids: Collection[int], changes: dict[str, Any], now: datetime
) -> None:
    """Set `state` and `assigned_to` as far as they are named; the rows must be locked.

    Marking as done ends the attention for what failed there.
    """
    conn.execute(update(conversations).where(conversations.c.id.in_(ids)).values(changes))
    if changes.get("state") == "done":
        attention.end_attention(conn, ids, now)


def start_below(query: Select[Any], before: tuple[datetime, int] | None) -> Select[Any]:
    """The query from that place on, in the order of `updated_at` and id, newest first."""
    table = conversations.c
    query = query.order_by(table.updated_at.desc(), table.id.desc())
    if before is None:
        return query
    updated_at, conversation_id = before
    return query.where(
        table.updated_at <= updated_at,
        or_(table.updated_at < updated_at, table.id < conversation_id),
    )


def make_conversations(conn: Connection, rows: Sequence[Row[Any]]) -> list[Conversation]:
    """Of rows of `select_conversations`, with all that is shown of them."""
    ids = [row.id for row in rows]
    stored = get_messages(conn, [row.last_message_id for row in rows if row.last_message_id])
    opted_out = find_opted_out(conn, [row.source for row in rows])
    texts = _find_last_texts(conn, ids)
    troubles = attention.find_attention(conn, ids)
    return [
        Conversation(
            row.id,
            row.dest,
            row.source,
            row.name,
            stored.get(row.last_message_id),
            texts.get(row.id),
            row.unread,
            row.source in opted_out,
            row.state,
            row.awaits_answer,
            tuple(troubles.get(row.id, ())),
            row.assigned_to,
            row.updated_at,
        )
        for row in rows
    ]


def _find_last_texts(conn: Connection, ids: Sequence[int]) -> dict[int, OutboundText]:
    """Our newest text in each conversation in which we have written, by conversation."""
    newest = (
        select(func.max(outbound.c.id))
        .where(outbound.c.conversation_id == conversations.c.id)
        .scalar_subquery()
    )
    found = conn.execute(select(newest).where(conversations.c.id.in_(ids))).scalars() if ids else ()
    texts = get_outbounds(conn, [each for each in found if each is not None])
    return {text.conversation_id: text for text in texts.values() if text.conversation_id}
