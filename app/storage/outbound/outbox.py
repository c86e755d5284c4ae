"""The outbox, which is the queue: one row for each outgoing text."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Select, func, insert, select, text

from app.domain.inbound.messages import digest_texts, make_number_key, make_pair_key
from app.domain.outbound.gsm import measure_text
from app.domain.outbound.requests import OutboundRequest
from app.domain.outbound.states import OutboundStatus, Priority
from app.storage.db.database import begin_transaction
from app.storage.db.given_values import is_among, pad_values
from app.storage.db.writes import BulkWrite, make_bulk_insert
from app.storage.outbound.batches import add_batch
from app.storage.tables.outbound import outbound, status_changes

# Whoever queues texts shares it; a feed takes it alone while it looks for the last id.
OUTBOUND_LOCK = 0x4C455454_4F555442
_AS_REQUESTED = (
    "list_name",
    "group_name",
    "source",
    "source_ton",
    "body",
    "origin",
    "in_reply_to",
    "rule_id",
    "schedule_at",
    "validity_seconds",
    "reference",
)


class Addressee(NamedTuple):
    """A number that a text goes to, and the conversation that shows it; no number stands for a list
    or group. `is_forced`: it goes out although the number has opted out.
    """

    number: str | None = None
    conversation_id: int | None = None
    is_forced: bool = False


def add_replies(
    conn: Connection, texts: Sequence[tuple[OutboundRequest, Addressee]], now: datetime
) -> dict[int | None, int]:
    """Queue automatic replies; returns their ids by the message that each answers.

    Those of messages that have their automatic reply already are left out.
    """
    if not texts:
        return {}
    hold_order(conn)
    rows = [_make_row(request, addressee, None, now) for request, addressee in texts]
    added = _insert_replies(tuple(rows[0])).run(conn, rows)
    return {message_id: outbound_id for outbound_id, message_id in added}


@cache
def _insert_replies(columns: tuple[str, ...]) -> BulkWrite:
    def leave_answered(statement: Any) -> Any:
        kept = statement.on_conflict_do_nothing()
        return kept.returning(outbound.c.id, outbound.c.in_reply_to)

    return make_bulk_insert(outbound, columns, leave_answered)


def queue_texts(
    conn: Connection,
    request: OutboundRequest,
    addressees: Sequence[Addressee],
    who: str,
    now: datetime,
) -> list[int]:
    """Queue what a person or program wrote, for each addressee; returns the ids in their order.

    Several are a batch. Their history begins with who wrote them. The caller adds the events.
    """
    batch_id: int | None = None
    if len(addressees) > 1:
        count = len(addressees)
        schedule_by = None if request.schedule_at is None else request.schedule_by or "letterbox"
        described = {
            "source": request.source,
            "body": request.body,
            "schedule_at": request.schedule_at,
            "schedule_by": schedule_by,
            "forced": request.force,
            "total": count,
            "queued": count,
        }
        batch_id = add_batch(conn, who, now, described)
    texts = [(request, each) for each in addressees]
    return queue_batch(conn, batch_id, 1, texts, who, now)


def queue_batch(
    conn: Connection,
    batch_id: int | None,
    first: int,
    texts: Sequence[tuple[OutboundRequest, Addressee]],
    who: str,
    now: datetime,
) -> list[int]:
    """Queue texts of a batch, from the place `first` on; returns the ids in their order.

    Their history begins with who wrote them. The caller adds the events.
    """
    hold_order(conn)
    statement = insert(outbound).returning(outbound.c.id, sort_by_parameter_order=True)
    rows = [
        _make_row(request, addressee, batch_id, now)
        | {"batch_place": None if batch_id is None else place}
        for place, (request, addressee) in enumerate(texts, first)
    ]
    ids = conn.execute(statement, rows).scalars().all()
    queued = {"status": OutboundStatus.QUEUED, "source": who, "changed_at": now}
    conn.execute(insert(status_changes), [{"outbound_id": each, **queued} for each in ids])
    return list(ids)


def hold_order(conn: Connection) -> None:
    """Let no feed skip the ids that this transaction takes. SQLite has a single writer."""
    if conn.dialect.name == "postgresql":
        conn.execute(text("SELECT pg_advisory_xact_lock_shared(:lock)"), {"lock": OUTBOUND_LOCK})


def find_settled_end(conn: Connection) -> int:
    """The largest id, once no transaction that has taken a smaller one is open."""
    if conn.dialect.name != "postgresql":
        return _find_end(conn)
    # Whoever queues texts shares this lock until the commit.
    with _briefly(conn):
        conn.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": OUTBOUND_LOCK})
        return _find_end(conn)


def try_settled_end(conn: Connection) -> int | None:
    """The same, or None while such a transaction is open: waiting would hold up the next ones."""
    if conn.dialect.name != "postgresql":
        return _find_end(conn)
    taken = text("SELECT pg_try_advisory_xact_lock(:lock)")
    with _briefly(conn):
        return _find_end(conn) if conn.execute(taken, {"lock": OUTBOUND_LOCK}).scalar() else None


@contextmanager
def _briefly(conn: Connection) -> Iterator[None]:
    """Give up the locks taken in this block at its end, not only with the transaction.

    A lock of the session would stay behind after an error, and in a pooler's connections.
    """
    begin_transaction(conn)
    savepoint = conn.begin_nested()
    try:
        yield
    finally:
        savepoint.rollback()


def _find_end(conn: Connection) -> int:
    return conn.execute(select(func.max(outbound.c.id))).scalar() or 0


def lock_texts(conn: Connection, ids: Collection[int]) -> Sequence[Row[Any]]:
    """Their rows in the order of ids, locked until the commit."""
    return conn.execute(_select_locked(conn.dialect.name), {"ids": pad_values(ids)}).all()


@cache  # building it takes longer than running it
def _select_locked(dialect: str) -> Select[Any]:
    query = select(outbound).where(is_among(dialect, outbound.c.id, "ids"))
    return query.order_by(outbound.c.id).with_for_update()


def _make_row(
    request: OutboundRequest, addressee: Addressee, batch_id: int | None, now: datetime
) -> dict[str, Any]:
    to, schedule_at = addressee.number, request.schedule_at
    schedule_by = None if schedule_at is None else request.schedule_by or "letterbox"
    valid_until = (schedule_at or now) + timedelta(seconds=request.validity_seconds)
    priority = Priority.SINGLE if batch_id is None else Priority.MASS
    return {
        **{name: getattr(request, name) for name in _AS_REQUESTED},
        "to_number": to,
        "to_key": None if to is None else make_number_key(to),
        "source_key": make_number_key(request.source),
        "pair_key": None if to is None else make_pair_key(request.source, to),
        "conversation_id": addressee.conversation_id,
        "parts": len(measure_text(request.body).parts),
        "batch_id": batch_id,
        "priority": priority if request.origin == "person" else Priority.ANSWER,
        "forced": addressee.is_forced,
        "status": OutboundStatus.QUEUED,
        "background_ids": [],
        "attempts": 0,
        "schedule_by": schedule_by,
        "send_before": min(request.send_before or valid_until, valid_until),
        "due_at": schedule_at if schedule_at and schedule_by == "letterbox" else now,
        "created_at": now,
        "reference_key": None if request.reference is None else digest_texts(request.reference),
        "metadata": dict(request.metadata),
    }
