"""The outbox: texts that are to go out, each a row that is its own place in the queue."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Literal

from sqlalchemy import Connection, Row, Select, bindparam, insert, select, text

from app.domain.inbound.messages import digest_texts, make_number_key, make_pair_key
from app.domain.outbound.gsm import measure_text
from app.domain.outbound.states import LONGEST_VALIDITY_SECONDS, Origin, OutboundStatus, Priority
from app.storage.db.upserts import make_insert
from app.storage.tables.outbound import batches, outbound, status_changes

# Shared by whoever queues texts; a feed takes it alone, for as long as it looks how far it may go.
OUTBOUND_LOCK = 0x4C455454_4F555442


@dataclass(frozen=True, slots=True)
class NewOutbound:
    """A text to queue for a number, a list or a group: exactly one of the three is given.

    `conversation_id` is the conversation that shows it. An automatic one (`origin` other than
    person) answers `in_reply_to`. `batch_id` is that of a request to many numbers. None goes out
    after `send_before`, nor after its validity, which begins when it is written or is to go out.
    """

    source: str
    body: str
    origin: Origin
    to: str | None = None
    list_name: str | None = None
    group_name: str | None = None
    conversation_id: int | None = None
    source_ton: int | None = None
    in_reply_to: int | None = None
    rule_id: int | None = None
    batch_id: int | None = None
    forced: bool = False
    schedule_at: datetime | None = None
    schedule_by: Literal["letterbox", "provider"] | None = None
    validity_seconds: int = LONGEST_VALIDITY_SECONDS
    send_before: datetime | None = None
    reference: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


def add_outbound(conn: Connection, new: NewOutbound, now: datetime) -> int | None:
    """Queue a text; returns its id, or None where the message has its automatic reply already."""
    hold_order(conn)
    statement = make_insert(conn, outbound).on_conflict_do_nothing().returning(outbound.c.id)
    # The row beside the statement: with it inside it would be compiled anew each time.
    added: int | None = conn.execute(statement, _make_row(new, now)).scalar()
    return added


def queue_texts(
    conn: Connection, texts: Sequence[NewOutbound], who: str, now: datetime
) -> list[int]:
    """Queue what a person or program wrote; returns the ids in the texts' order.

    Whose they are is the first line of their history. Events are the caller's to add.
    """
    hold_order(conn)
    statement = insert(outbound).returning(outbound.c.id, sort_by_parameter_order=True)
    ids = conn.execute(statement, [_make_row(new, now) for new in texts]).scalars().all()
    queued = {"status": OutboundStatus.QUEUED, "source": who, "changed_at": now}
    conn.execute(insert(status_changes), [{"outbound_id": each, **queued} for each in ids])
    return list(ids)


def hold_order(conn: Connection) -> None:
    """Let no feed pass over the ids that this transaction takes, until it has committed.

    SQLite has one writer, so there ids are committed in their order anyway.
    """
    if conn.dialect.name == "postgresql":
        conn.execute(text("SELECT pg_advisory_xact_lock_shared(:lock)"), {"lock": OUTBOUND_LOCK})


def add_batch(conn: Connection, who: str, now: datetime) -> int:
    """What the texts of one request to many numbers belong to; returns its id."""
    row = {"created_by": who, "created_at": now}
    added: int = conn.execute(insert(batches).returning(batches.c.id), row).scalar_one()
    return added


def lock_texts(conn: Connection, ids: Collection[int]) -> Sequence[Row[Any]]:
    """Their whole rows by id, held until the commit."""
    return conn.execute(_select_locked(), {"ids": ids}).all()


@cache  # to write it anew takes longer than to run it
def _select_locked() -> Select[Any]:
    query = select(outbound).where(outbound.c.id.in_(bindparam("ids", expanding=True)))
    return query.order_by(outbound.c.id).with_for_update()


def _make_row(new: NewOutbound, now: datetime) -> dict[str, Any]:
    valid_until = (new.schedule_at or now) + timedelta(seconds=new.validity_seconds)
    return {
        "to_number": new.to,
        "to_key": None if new.to is None else make_number_key(new.to),
        "list_name": new.list_name,
        "group_name": new.group_name,
        "source": new.source,
        "source_key": make_number_key(new.source),
        "source_ton": new.source_ton,
        "pair_key": None if new.to is None else make_pair_key(new.source, new.to),
        "conversation_id": new.conversation_id,
        "body": new.body,
        "parts": len(measure_text(new.body).parts),
        "origin": new.origin,
        "in_reply_to": new.in_reply_to,
        "rule_id": new.rule_id,
        "batch_id": new.batch_id,
        "priority": _find_priority(new),
        "forced": new.forced,
        "status": OutboundStatus.QUEUED,
        "background_ids": [],
        "attempts": 0,
        "schedule_at": new.schedule_at,
        "schedule_by": new.schedule_by,
        "validity_seconds": new.validity_seconds,
        "send_before": min(new.send_before or valid_until, valid_until),
        "due_at": new.schedule_at if new.schedule_at and new.schedule_by == "letterbox" else now,
        "created_at": now,
        "reference": new.reference,
        "reference_key": None if new.reference is None else digest_texts(new.reference),
        "metadata": dict(new.metadata),
    }


def _find_priority(new: NewOutbound) -> Priority:
    if new.origin != "person":
        return Priority.ANSWER
    return Priority.SINGLE if new.batch_id is None else Priority.MASS
