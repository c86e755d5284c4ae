"""Finds messages: pages that do bounded work, newest first, and the feed that misses none."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select

from app.domain.errors import NotFound
from app.domain.ids import LAST_ID
from app.domain.inbound.messages import (
    StoredMessage,
    make_number_key,
    make_pair_key,
    make_provider_key,
)
from app.domain.inbound.queries import MessageFilter
from app.storage.db import id_walks
from app.storage.db.id_walks import Driver, IdWalk
from app.storage.db.text_index import has_index_for
from app.storage.inbound.rewriting.refills import find_position
from app.storage.inbound.text_search import MESSAGE_INDEX
from app.storage.tables.conversations import conversations
from app.storage.tables.inbound import message_blocks, message_index, messages

BLOCK_ROWS = 1024


@dataclass(frozen=True, slots=True)
class MessageOutcome:
    """Why a message was or was not answered automatically; the rule may be gone."""

    code: str
    rule_id: int | None


@dataclass(slots=True)
class Message(StoredMessage):
    """A stored message with all that people and programs see of it."""

    received_raw: str | None
    stored_at: datetime
    extra: dict[str, str]
    raw: bytes
    handled_at: datetime | None
    outcome_code: str | None
    rule_id: int | None
    duplicate_of: int | None
    conversation_id: int | None

    @property
    def outcome(self) -> MessageOutcome | None:
        return (
            None if self.outcome_code is None else MessageOutcome(self.outcome_code, self.rule_id)
        )


@dataclass(frozen=True, slots=True)
class Page:
    """`next` is the id to go on from: below it in a list (None at the end), above it in a feed."""

    messages: list[Message]
    next: int | None


STORED_COLUMNS = [messages.c[each.name] for each in fields(StoredMessage)]
_COLUMNS = [
    *STORED_COLUMNS,
    messages.c.received_raw,
    messages.c.stored_at,
    messages.c.extra,
    messages.c.raw,
    messages.c.handled_at,
    messages.c.outcome,
    messages.c.rule_id,
    messages.c.duplicate_of,
    message_index.c.conversation_id,
]


def get_messages(conn: Connection, ids: Sequence[int]) -> dict[int, Message]:
    """By id; those that do not exist are missing."""
    query = select(*_COLUMNS).outerjoin_from(
        messages, message_index, message_index.c.message_id == messages.c.id
    )
    rows = conn.execute(query.where(messages.c.id.in_(ids)))
    return {row.id: Message(*row) for row in rows}


def get_message(conn: Connection, message_id: int) -> Message:
    """Raises NotFound."""
    found = get_messages(conn, [message_id])
    if not found:
        raise NotFound("no such message")
    return found[message_id]


def list_newest_texts(conn: Connection, *, limit: int) -> list[StoredMessage]:
    """The newest messages, oldest first, without those that repeat another one."""
    query = select(*STORED_COLUMNS).where(messages.c.duplicate_of.is_(None))
    rows = conn.execute(query.order_by(messages.c.id.desc()).limit(limit)).all()
    return [StoredMessage(*row) for row in reversed(rows)]


def list_messages(
    conn: Connection, wanted: MessageFilter, *, before: int | None, limit: int
) -> Page:
    """Newest stored first. The page may be short or empty while `next` is not None."""
    found = _make_walk(limit + 1, wanted)
    end = _find_handled_end(conn)
    top = LAST_ID if before is None else before
    low, high = find_span(conn, wanted.since, wanted.until)
    low = min(low, end)
    # Messages that are not indexed yet are few, and read one by one.
    reached = found.walk(conn, _all_messages, top, end, id_walks.WALK_ROWS)
    if reached <= end and not found.full:
        reached = _walk_indexed(conn, found, wanted, min(top, end, high), low)
    ids = found.ids[:limit]
    rest = ids[-1] if found.full else (None if reached <= low else reached)
    stored = get_messages(conn, ids)
    return Page([stored[each] for each in ids], rest)


def feed_messages(conn: Connection, wanted: MessageFilter, *, after: int, limit: int) -> Page:
    """Oldest stored first; `next` is never None, and following it gives each message once.

    Ids are committed in order, so nothing can appear below one that has been seen.
    """
    # Read the end first, so that a message handled between the two reads is not skipped.
    end = _find_handled_end(conn)
    low, _ = find_span(conn, wanted.since, wanted.until)
    start, looked_at = max(after, min(low, end) - 1), 0
    matches = wanted.make_test()
    ids: list[int] = []
    while len(ids) < limit and looked_at < id_walks.WALK_ROWS:
        query = (
            select(messages.c.id, *_needed(wanted))
            .where(messages.c.id > start)
            .order_by(messages.c.id)
            .limit(min(limit * 2, id_walks.WALK_ROWS - looked_at))
        )
        rows = conn.execute(query).all()
        if not rows:
            break
        for row in rows:
            start = row.id
            if matches(row):
                ids.append(row.id)
                if len(ids) == limit:
                    break
        looked_at += len(rows)
    stored = get_messages(conn, ids)
    return Page([stored[each] for each in ids], start)


def _walk_indexed(
    conn: Connection, found: IdWalk, wanted: MessageFilter, top: int, low: int
) -> int:
    driver = _choose_driver(conn, wanted)
    if not has_index_for(wanted.words) or wanted.source is not None:
        return found.walk(conn, driver, top, low, id_walks.WALK_ROWS)
    return found.walk_by_words(conn, driver, MESSAGE_INDEX, wanted.words, top, low)


def _make_walk(count: int, wanted: MessageFilter) -> IdWalk:
    def fetch(conn: Connection, candidates: Select[tuple[int]]) -> Sequence[Row[Any]]:
        ids = candidates.subquery()
        [candidate] = ids.c
        query = select(messages.c.id, *_needed(wanted)).join(ids, candidate == messages.c.id)
        return conn.execute(query.order_by(messages.c.id.desc())).all()

    return IdWalk(count, fetch, wanted.make_test())


def _needed(wanted: MessageFilter) -> Iterator[Any]:
    return (
        messages.c.outcome.label(name) if name == "outcome_code" else messages.c[name]
        for name in wanted.columns
    )


def _choose_driver(conn: Connection, wanted: MessageFilter) -> Driver:
    """The index that narrows most; the other conditions are checked row by row."""
    index = message_index.c
    if wanted.provider_id is not None and find_position(conn, "provider-ids") is None:
        return _make_index_driver(index.provider_key == make_provider_key(wanted.provider_id))
    if wanted.source is not None and wanted.dest is not None:
        pair = conversations.c.pair_key == make_pair_key(wanted.dest, wanted.source)
        conversation = conn.execute(select(conversations.c.id).where(pair)).scalar()
        return _make_index_driver(index.conversation_id == conversation)
    if wanted.source is not None:
        return _make_index_driver(index.source_key == make_number_key(wanted.source))
    if wanted.problem is not None or wanted.has_problems:
        return _make_index_driver(index.has_problems.is_(True))
    if wanted.unread:
        return _make_index_driver(index.unread.is_(True))
    if wanted.via is not None and wanted.via != "forward":
        return _make_index_driver(index.via == wanted.via)
    if wanted.dest is not None:
        return _make_index_driver(index.dest_key == make_number_key(wanted.dest))
    return _all_messages


def _make_index_driver(condition: Any) -> Driver:
    def drive(top: int, bottom: int, count: int) -> Select[tuple[int]]:
        column = message_index.c.message_id
        query = select(column).where(condition, column < top, column >= bottom)
        return query.order_by(column.desc()).limit(count)

    return drive


def _all_messages(top: int, bottom: int, count: int) -> Select[tuple[int]]:
    column = messages.c.id
    query = select(column.label("message_id")).where(column < top, column >= bottom)
    return query.order_by(column.desc()).limit(count)


def _find_handled_end(conn: Connection) -> int:
    """Every message below this id is in the index, and none can be added there."""
    unhandled = select(func.min(messages.c.id)).where(messages.c.handled_at.is_(None))
    first: int | None = conn.execute(unhandled).scalar()
    if first is not None:
        return first
    last: int | None = conn.execute(select(func.max(messages.c.id))).scalar()
    return (last or 0) + 1


def find_span(conn: Connection, since: datetime | None, until: datetime | None) -> tuple[int, int]:
    """Bounds [low, high) of the ids of indexed messages that may have been received then."""
    if since is None and until is None:
        return 0, LAST_ID
    query = select(func.min(message_blocks.c.block), func.max(message_blocks.c.block))
    if since is not None:
        query = query.where(message_blocks.c.last_received_at >= since)
    if until is not None:
        query = query.where(message_blocks.c.first_received_at < until)
    first, last = conn.execute(query).one()
    if first is None:
        return LAST_ID, 0
    return first * BLOCK_ROWS, (last + 1) * BLOCK_ROWS
