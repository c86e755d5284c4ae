"""What the reconcile flow reads and stores: the messages that the provider's report may list."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select, text

from app.domain.batches import cut
from app.domain.inbound.messages import (
    InboundMessage,
    StoredMessage,
    make_identity_key,
    make_pair_key,
)
from app.domain.inbound.reconciling import ReportedText, measure_distance, pair_nearest
from app.storage.db.upserts import make_insert
from app.storage.inbound.inbound import MESSAGES_LOCK
from app.storage.inbound.search import STORED_COLUMNS, find_span
from app.storage.operations.erasures.erasures import find_erased
from app.storage.operations.erasures.tombstones import Tombstone, digest_reported, find_buried
from app.storage.tables.conversations import conversations
from app.storage.tables.inbound import message_index, messages
from app.storage.tables.operations import processes

# In one query.
ASKED_ROWS = 500


def find_by_id(
    conn: Connection, rows: Sequence[ReportedText]
) -> dict[tuple[str, str, str], list[StoredMessage]]:
    """The handled messages with the numbers and ids of the rows, by dest, source and id."""
    keys = {
        make_identity_key(row.dest, row.source, row.provider_id): (*row.pair, row.provider_id)
        for row in rows
        if row.provider_id
    }
    query = (
        select(message_index.c.identity_key, *STORED_COLUMNS)
        .join(messages, messages.c.id == message_index.c.message_id)
        .where(message_index.c.identity_key.in_(list(keys)), messages.c.duplicate_of.is_(None))
        .order_by(messages.c.id)
    )
    found: dict[tuple[str, str, str], list[StoredMessage]] = {}
    for key, *columns in conn.execute(query):
        found.setdefault(keys[key], []).append(StoredMessage(*columns))
    return found


def find_near(
    conn: Connection, pair: tuple[str, str], since: datetime, until: datetime
) -> list[StoredMessage]:
    """The handled messages of a pair (dest, source) that were received in [since, until)."""
    conversation = select(conversations.c.id).where(
        conversations.c.pair_key == make_pair_key(*pair)
    )
    first_id, end_id = find_span(conn, since, until)
    query = (
        select(*STORED_COLUMNS)
        .join(message_index, messages.c.id == message_index.c.message_id)
        .where(
            message_index.c.conversation_id == conversation.scalar_subquery(),
            message_index.c.message_id >= first_id,
            message_index.c.message_id < end_id,
            messages.c.received_at >= since,
            messages.c.received_at < until,
            messages.c.duplicate_of.is_(None),
        )
    )
    return [StoredMessage(*row) for row in conn.execute(query)]


def find_hindrance(conn: Connection, until: datetime, *, alive_since: datetime) -> str | None:
    """Why messages up to `until` may still be on their way; None if none can be."""
    unhandled = select(messages.c.id).where(
        messages.c.handled_at.is_(None), messages.c.arrived_at <= until
    )
    if conn.execute(unhandled.limit(1)).first():
        return "messages of that time wait to be handled"
    depth = select(func.sum(processes.c.spool_depth)).where(processes.c.seen_at >= alive_since)
    if conn.execute(depth).scalar():
        return "messages wait in a spool"
    return None


def store_reported(
    conn: Connection, found: Iterable[InboundMessage], now: datetime
) -> list[InboundMessage]:
    """Store texts that only the report had; returns those that were new.

    Takes the lock that orders the ids, like everything that inserts messages.
    """
    if conn.dialect.name == "postgresql":
        conn.execute(text(f"SELECT pg_advisory_xact_lock({MESSAGES_LOCK})"))
    new = []
    for message in found:
        values = asdict(message) | {"problems": " ".join(message.problems), "stored_at": now}
        insert = make_insert(conn, messages).values(**values).on_conflict_do_nothing()
        if conn.execute(insert.returning(messages.c.id)).scalar() is not None:
            new.append(message)
    return new


def find_erased_rows(
    conn: Connection, rows: Mapping[int, ReportedText], used: Collection[int] = ()
) -> tuple[set[int], set[int]]:
    """The places of rows that were erased: by number, by id, or by text and time.

    Besides the tombstones that they use up: an erased text is one row, and the same words from the
    same sender are another text. Those that are `used` already belong to other rows.
    """
    gone = _find_of_erased_numbers(conn, rows)
    digests = {
        place: digest_reported(conn, *row.pair, row.provider_id, row.body)
        for place, row in rows.items()
        if place not in gone
    }
    stones: dict[int, Tombstone] = {}
    for some in cut(list(digests.values()), ASKED_ROWS):
        identities, texts = ([each[part] for each in some] for part in (0, 1))
        stones |= {each.id: each for each in find_buried(conn, identities, texts)}
    left = [each for each in stones.values() if each.id not in used]
    by_id = pair_nearest(
        (timedelta(), place, stone.id)
        for place, (identity, _) in digests.items()
        for stone in left
        if identity is not None and stone.identity == identity
    )
    matched = set(by_id.values())
    by_text = pair_nearest(
        (distance, place, stone.id)
        for place, (_, words) in digests.items()
        for stone in left
        if place not in by_id and stone.id not in matched and stone.text == words
        if (distance := measure_distance(rows[place], stone.received_at)) is not None
    )
    return gone | by_id.keys() | by_text.keys(), matched | set(by_text.values())


def _find_of_erased_numbers(conn: Connection, rows: Mapping[int, ReportedText]) -> set[int]:
    """Those that an erased number sent or got before it was erased."""
    numbers = sorted({each for row in rows.values() for each in row.pair})
    erased: dict[str, datetime] = {}
    for some in cut(numbers, ASKED_ROWS):
        erased |= find_erased(conn, some)
    return {
        place
        for place, row in rows.items()
        for number in row.pair
        if number in erased and row.received_at is not None and row.received_at <= erased[number]
    }
