"""What the handle flow reads and writes: the queue, conversations, the indexes for searching."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, case, delete, or_, select, update

from app.domain.inbound.messages import (
    StoredMessage,
    make_number_key,
    make_provider_key,
    sort_problems,
)
from app.storage.db.given_values import keep_plans
from app.storage.db.writes import BulkWrite, Writes, make_bulk_insert, make_bulk_update
from app.storage.inbound.search import BLOCK_ROWS, STORED_COLUMNS
from app.storage.inbound.text_search import add_bodies
from app.storage.operations.erasures.erasures import find_erased
from app.storage.operations.erasures.tombstones import HAS_ERASED, take_returned
from app.storage.rules.erasing import keep_stops
from app.storage.rules.opt_outs import name_again
from app.storage.tables.conversations import conversations
from app.storage.tables.inbound import message_blocks, message_index, messages

Outcomes = Mapping[tuple[str | None, int | None], Sequence[int]]


def claim_unhandled(
    conn: Connection, *, limit: int, only: Sequence[int] | None = None
) -> list[StoredMessage]:
    """The oldest queued messages that no other worker holds, locked until the commit.

    `only` are the ids that may be claimed; None means all. What was erased and has come again is
    removed instead.
    """
    query = _select_unhandled(conn.dialect.name)
    if only is not None:
        query = query.where(messages.c.id.in_(only))
    while True:
        rows = conn.execute(query, {"most": limit}).all()
        claimed = [StoredMessage(*columns) for _, _, *columns in rows]
        if rows and rows[0].has_erased:
            keys = [row.dedupe_key for row in rows]
            claimed = _drop_erased(conn, [*zip(keys, claimed, strict=True)])
        if claimed or not rows:
            return claimed


def _drop_erased(
    conn: Connection, claimed: list[tuple[bytes, StoredMessage]]
) -> list[StoredMessage]:
    """Without messages that were erased, and texts of an erased number that arrived before that."""
    erased = find_erased(conn, {each for _, text in claimed for each in (text.source, text.dest)})
    gone = {
        text.id
        for _, text in claimed
        for number in (text.source, text.dest)
        if number in erased and text.arrived_at <= erased[number]
    }
    returned = take_returned(conn, claimed)
    keep_stops(conn, [text for _, text in claimed if text.id in gone.difference(returned)])
    gone.update(returned)
    conn.execute(delete(messages).where(messages.c.id.in_(sorted(gone))))
    left = [text for _, text in claimed if text.id not in gone]
    name_again(conn, [text.source for text in left])
    return left


def list_waiting(conn: Connection, *, limit: int) -> dict[int, str]:
    """The bodies of the oldest queued messages, by id, even if another worker holds them."""
    waiting = select(messages.c.id, messages.c.body).where(messages.c.handled_at.is_(None))
    found = conn.execute(waiting.order_by(messages.c.id).limit(limit))
    return {row.id: row.body for row in found}


# Most batches are one message whose sender waits for an answer. Statements are cached because
# building one takes longer than running it.


@cache
def _select_unhandled(dialect: str) -> Select[Any]:
    first = [keep_plans()] if dialect == "postgresql" else []
    return (
        select(HAS_ERASED.label("has_erased"), messages.c.dedupe_key, *STORED_COLUMNS)
        .where(*first, messages.c.handled_at.is_(None))
        .order_by(messages.c.id)
        .limit(bindparam("most"))
        .with_for_update(skip_locked=True)
    )


def note_outcomes(writes: Writes, outcomes: Outcomes, now: datetime) -> None:
    """Take messages off the queue, each group with its outcome and rule."""
    rows = [
        {"id": each, "handled_at": now, "outcome": outcome, "rule_id": rule_id}
        for (outcome, rule_id), ids in outcomes.items()
        for each in ids
    ]
    writes.add(_update_handled(), rows)


@cache
def _update_handled() -> BulkWrite:
    return make_bulk_update(messages, ["id"], ("handled_at", "outcome", "rule_id"))


def upsert_conversations(
    conn: Connection, batch: Sequence[StoredMessage], *, are_new: bool = True
) -> dict[bytes, int]:
    """Update and lock the pairs' conversations, sorted by key to avoid deadlocks; ids by pair key.

    The last message is the newest by (arrived_at, id), not the last handled. A conversation in
    which only we wrote has none yet. Texts that are new open it, and await an answer: nobody can
    have given one, even if they arrived long ago.
    """
    newest: dict[bytes, StoredMessage] = {}
    unread: Counter[bytes] = Counter()
    for message in sorted(batch, key=lambda each: (each.arrived_at, each.id)):
        newest[message.pair_key] = message
        unread[message.pair_key] += message.read_at is None
    rows = [
        {
            "pair_key": key,
            "dest_key": make_number_key(message.dest),
            "source_key": make_number_key(message.source),
            "dest": message.dest,
            "source": message.source,
            "last_message_id": message.id,
            "last_arrived_at": message.arrived_at,
            "unread": unread[key],
            "updated_at": message.arrived_at,
            "state": "open",
            "awaits_answer": are_new,
        }
        for key, message in sorted(newest.items())
    ]
    return {pair_key: found for found, pair_key in _upsert_conversations().run(conn, rows)}


def end_waiting(
    conn: Connection, conversation_ids: Iterable[int], message_ids: Iterable[int]
) -> None:
    """Whoever has said stop with their last text awaits no answer; it stays open to be seen."""
    said_last = conversations.c.last_message_id.in_(list(message_ids))
    theirs = conversations.c.id.in_(list(conversation_ids))
    conn.execute(update(conversations).where(theirs, said_last).values(awaits_answer=False))


_GIVEN = (
    "pair_key",
    "dest_key",
    "source_key",
    "dest",
    "source",
    "last_message_id",
    "last_arrived_at",
    "unread",
    "updated_at",
    "state",
    "awaits_answer",
)


@cache
def _upsert_conversations() -> BulkWrite:
    return make_bulk_insert(conversations, _GIVEN, _keep_newest)


def _keep_newest(statement: Any) -> Any:
    old, new = conversations.c, statement.excluded
    is_newer = or_(
        old.last_arrived_at.is_(None),
        new.last_arrived_at > old.last_arrived_at,
        and_(new.last_arrived_at == old.last_arrived_at, new.last_message_id > old.last_message_id),
    )
    return statement.on_conflict_do_update(
        index_elements=["pair_key"],
        set_={
            "last_message_id": case((is_newer, new.last_message_id), else_=old.last_message_id),
            "last_arrived_at": case((is_newer, new.last_arrived_at), else_=old.last_arrived_at),
            "updated_at": case(
                (new.updated_at > old.updated_at, new.updated_at), else_=old.updated_at
            ),
            "unread": old.unread + new.unread,
            "state": case((new.awaits_answer, new.state), else_=old.state),
            "awaits_answer": or_(old.awaits_answer, new.awaits_answer),
        },
    ).returning(old.id, old.pair_key)


def flag_reused_ids(
    conn: Connection, batch: Sequence[StoredMessage], *, some_known: bool
) -> list[StoredMessage]:
    """The batch, with `id-reused` on each message whose id an earlier one of its pair had.

    `some_known` says whether any had, which is rare. The conversations must be locked, so that two
    workers cannot both take theirs for the first.
    """
    known: set[bytes | None] = _find_known_ids(conn, batch) if some_known else set()
    flagged = []
    for message in batch:
        if message.identity_key in known:
            problems = " ".join(sort_problems([*message.problems.split(), "id-reused"]))
            conn.execute(
                update(messages).where(messages.c.id == message.id).values(problems=problems)
            )
            flagged.append(replace(message, problems=problems))
        else:
            flagged.append(message)
        if message.identity_key:
            known.add(message.identity_key)
    return flagged


def _find_known_ids(conn: Connection, batch: Sequence[StoredMessage]) -> set[bytes | None]:
    asked = {message.identity_key for message in batch if message.identity_key}
    query = select(message_index.c.identity_key).where(message_index.c.identity_key.in_(asked))
    return set(conn.execute(query).scalars())


def index_messages(
    writes: Writes, batch: Sequence[StoredMessage], conversation_ids: Mapping[bytes, int]
) -> None:
    """Index messages by sender, number, conversation, state, time and words."""
    rows = [
        {
            "message_id": message.id,
            "conversation_id": conversation_ids[message.pair_key],
            "source_key": make_number_key(message.source),
            "dest_key": make_number_key(message.dest),
            "identity_key": message.identity_key or b"",
            "via": message.via,
            "unread": message.read_at is None,
            "has_problems": bool(message.problems),
            "provider_key": make_provider_key(message.provider_id),
        }
        for message in batch
    ]
    writes.add(_insert_index(), rows)
    widen_blocks(writes, batch)
    add_bodies(writes, [(message.id, message.body) for message in batch])


@cache
def _insert_index() -> BulkWrite:
    return make_bulk_insert(message_index, [each.name for each in message_index.c])


def widen_blocks(writes: Writes, batch: Iterable[StoredMessage]) -> None:
    """Widen the blocks' spans to the times when these messages were received."""
    spans: dict[int, list[datetime]] = {}
    for message in batch:
        spans.setdefault(message.id // BLOCK_ROWS, []).append(message.received_at)
    rows = [
        {"block": block, "first_received_at": min(times), "last_received_at": max(times)}
        for block, times in sorted(spans.items())
    ]
    writes.add(_widen_blocks(), rows)


@cache
def _widen_blocks() -> BulkWrite:
    def widen(statement: Any) -> Any:
        new, old = statement.excluded, message_blocks.c
        first, last = new.first_received_at, new.last_received_at
        is_earlier, is_later = first < old.first_received_at, last > old.last_received_at
        return statement.on_conflict_do_update(
            index_elements=["block"],
            set_={
                "first_received_at": case((is_earlier, first), else_=old.first_received_at),
                "last_received_at": case((is_later, last), else_=old.last_received_at),
            },
        )

    return make_bulk_insert(message_blocks, [each.name for each in message_blocks.c], widen)
