"""Lists of conversations, by filters; what the views of the inbox are made of."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    TextClause,
    and_,
    func,
    select,
    text,
)

from app.domain.inbound.messages import make_number_key
from app.domain.keywords import fold_text
from app.storage.conversations import attention
from app.storage.conversations.conversations import (
    AWAITS_ANSWER,
    ConversationPage,
    Needs,
    State,
    make_conversations,
    select_conversations,
    start_below,
)
from app.storage.db.id_walks import WALK_ROWS
from app.storage.tables.conversations import conversations
from app.storage.tables.inbound import message_index, messages
from app.storage.tables.outbound import outbound
from app.storage.tables.rules import opt_outs

# A search reads the texts of so many conversations at once, and so many texts for a page.
CHUNK = 100
MOST_TEXTS = 10_000
# Counts say "more than" above it.
MOST_COUNTED = 99

Condition = ColumnElement[bool] | TextClause

# In the words of the partial indexes.
_ORIGINS = {
    "received": text("last_message_id IS NOT NULL"),
    "sent": text("last_message_id IS NULL AND NOT in_batch"),
}


@dataclass(frozen=True, slots=True)
class ConversationFilter:
    """What is wanted; None is any.

    `words` are folded; each is a part of the name, of a number or of one text. `is_waiting`: the
    last word is theirs, whatever else the conversation needs. `origin` is "received" where they
    have written, "sent" where only we have, and not in a batch.
    """

    dest: str | None = None
    source: str | None = None
    unread: bool | None = None
    opted_out: bool | None = None
    state: State | None = None
    needs: Needs | None = None
    is_waiting: Literal[True] | None = None
    assigned_to: int | None = None
    is_assigned: bool | None = None
    origin: Literal["received", "sent"] | None = None
    words: Sequence[str] = ()


ALL = ConversationFilter()


def list_conversations(
    conn: Connection,
    wanted: ConversationFilter = ALL,
    *,
    before: tuple[datetime, int] | None,
    limit: int,
) -> ConversationPage:
    """Newest first. With `words` a page may be short or empty while `next` is not None."""
    query = start_below(_narrow(select_conversations(), wanted), before)
    if not wanted.words:
        rows = conn.execute(query.limit(limit + 1)).all()
        page = rows[:limit]
        return _make_page(conn, page, page[-1] if len(rows) > limit else None)
    rows = conn.execute(query.limit(WALK_ROWS)).all()
    page, looked_at = _search(conn, rows, wanted.words, limit)
    is_all = looked_at == len(rows) < WALK_ROWS
    return _make_page(conn, page, None if is_all else rows[looked_at - 1])


def count_conversations(conn: Connection, wanted: ConversationFilter) -> int:
    """How many there are; MOST_COUNTED + 1 stands for any more."""
    some = _narrow(select(conversations.c.id), wanted).limit(MOST_COUNTED + 1)
    return int(conn.execute(select(func.count()).select_from(some.subquery())).scalar_one())


def _narrow(query: Select[Any], wanted: ConversationFilter) -> Select[Any]:
    """Those that are wanted.

    SQLite would rather read all that are open than the partial index of those who wait.
    """
    if wanted.is_waiting or wanted.needs == "answer":
        query = query.with_hint(conversations, "INDEXED BY conversations_answer_idx", "sqlite")
    return query.where(*_list_conditions(wanted))


def _list_conditions(wanted: ConversationFilter) -> Iterator[Condition]:
    for name, make in _CONDITIONS.items():
        value = getattr(wanted, name)
        if value is not None:
            yield make(value)


def _is_opted_out(is_out: bool) -> Condition:
    out = select(opt_outs.c.number_key).where(opt_outs.c.is_out)
    source_key = conversations.c.source_key
    return source_key.in_(out) if is_out else source_key.not_in(out)


def _needs(needs: Needs) -> Condition:
    if needs == "attention":
        return conversations.c.id.in_(attention.select_conversations())
    return and_(AWAITS_ANSWER, ~attention.has_attention())


_TABLE = conversations.c
_CONDITIONS: dict[str, Callable[[Any], Condition]] = {
    "dest": lambda dest: _TABLE.dest_key == make_number_key(dest),
    "source": lambda source: _TABLE.source_key == make_number_key(source),
    "unread": lambda unread: text("unread > 0") if unread else _TABLE.unread == 0,
    "opted_out": _is_opted_out,
    "state": lambda state: _TABLE.state == state,
    "needs": _needs,
    "is_waiting": lambda _: AWAITS_ANSWER,
    "assigned_to": lambda member_id: _TABLE.assigned_to == member_id,
    "is_assigned": lambda is_assigned: (
        _TABLE.assigned_to.is_not(None) if is_assigned else _TABLE.assigned_to.is_(None)
    ),
    "origin": _ORIGINS.__getitem__,
}


def _search(
    conn: Connection, rows: Sequence[Row[Any]], words: Sequence[str], limit: int
) -> tuple[list[Row[Any]], int]:
    """Those that have every word, and how many rows were looked at."""
    page: list[Row[Any]] = []
    budget = MOST_TEXTS
    for start in range(0, len(rows), CHUNK):
        chunk = rows[start : start + CHUNK]
        unnamed = {row.id for row in chunk if not _has_words(_describe(row), words)}
        in_texts, read = _find_in_texts(conn, unnamed, words)
        budget -= read
        for number, row in enumerate(chunk, start=start + 1):
            if row.id not in in_texts and row.id in unnamed:
                continue
            page.append(row)
            if len(page) == limit:
                return page, number
        if budget <= 0:
            return page, start + len(chunk)
    return page, len(rows)


def _find_in_texts(
    conn: Connection, ids: Collection[int], words: Sequence[str]
) -> tuple[set[int], int]:
    """Those of the conversations in whose newest texts, of either side, one has every word."""
    received = (
        select(message_index.c.conversation_id, messages.c.body)
        .join(messages, messages.c.id == message_index.c.message_id)
        .where(message_index.c.conversation_id.in_(ids))
        .order_by(message_index.c.message_id.desc())
    )
    sent = (
        select(outbound.c.conversation_id, outbound.c.body)
        .where(outbound.c.conversation_id.in_(ids))
        .order_by(outbound.c.id.desc())
    )
    found: set[int] = set()
    read = 0
    for query in (received, sent) if ids else ():
        for conversation_id, body in conn.execute(query.limit(MOST_TEXTS)):
            read += 1
            if _has_words(body, words):
                found.add(conversation_id)
    return found, read


def _describe(row: Row[Any]) -> str:
    return f"{row.name} {row.source} {row.dest}"


def _has_words(text_of_it: str, words: Sequence[str]) -> bool:
    folded = fold_text(text_of_it)
    return all(word in folded for word in words)


def _make_page(
    conn: Connection, rows: Sequence[Row[Any]], last: Row[Any] | None
) -> ConversationPage:
    place = None if last is None else (last.updated_at, last.id)
    return ConversationPage(make_conversations(conn, rows), place)
