"""Texts that go out, as people and programs see them, and their history."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select

from app.domain.errors import NotFound
from app.domain.outbound.statuses import read_outcome
from app.storage.outbound.history import StatusChange, list_changes
from app.storage.tables.outbound import outbound, provider_messages, send_attempts

# No text is tried more often within its validity.
MAX_SHOWN = 500


@dataclass(frozen=True, slots=True)
class OutboundError:
    """Why it did not, or not certainly, go out; `code` is the provider's, where it gave one."""

    code: int | None
    text: str


@dataclass(frozen=True, slots=True)
class OutboundText:
    """A text to a number, or to a list or group: then `recipients` counts them by status, and
    `provider_ids` is empty.

    `rule_id` is of the rule that answered, which may be gone; `origin` says who wrote it.
    """

    id: int
    to: str | None
    list: str | None
    group: str | None
    recipients: Mapping[str, int] | None
    source: str
    body: str
    parts: int
    status: str
    held_reason: str | None
    provider_status: str | None
    check_error: str | None
    provider_ids: tuple[str, ...]
    background_ids: tuple[str, ...]
    error: OutboundError | None
    in_reply_to: int | None
    rule_id: int | None
    batch_id: int | None
    attempts: int
    schedule_at: datetime | None
    schedule_by: str | None
    send_before: datetime | None
    created_at: datetime
    sent_at: datetime | None
    settled_at: datetime | None
    attended_at: datetime | None
    origin: str
    forced: bool
    conversation_id: int | None
    reference: str | None
    metadata: Mapping[str, str]


_AS_STORED = {each.name for each in fields(OutboundText)} - {
    "to",
    "list",
    "group",
    "recipients",
    "provider_ids",
    "background_ids",
    "error",
    "metadata",
}


@dataclass(frozen=True, slots=True)
class Attempt:
    """A call for a text, or nearly one: `outcome` is None while it is in progress."""

    attempt: int
    began_at: datetime
    ended_at: datetime | None
    outcome: str | None
    error_class: str | None
    code: str | None
    answer: str | None


@dataclass(frozen=True, slots=True)
class OutboundHistory:
    """Every call that was made for a text, and every change of its status."""

    attempts: list[Attempt]
    changes: list[StatusChange]


@dataclass(frozen=True, slots=True)
class Recipient:
    """One of the provider's messages: of a list's or group's recipient, or a part of a text."""

    id: int
    provider_id: str
    to: str
    provider_status: str | None
    updated_at: datetime

    @property
    def status(self) -> str:
        return read_outcome(self.provider_status)


def get_outbound(conn: Connection, outbound_id: int) -> OutboundText:
    """Raises NotFound."""
    found = get_outbounds(conn, [outbound_id])
    if not found:
        raise NotFound("no such outbound text")
    return found[outbound_id]


def get_outbounds(conn: Connection, ids: Sequence[int]) -> dict[int, OutboundText]:
    """By id; those that do not exist are missing."""
    rows = conn.execute(select(outbound).where(outbound.c.id.in_(ids))).all() if ids else []
    return {text.id: text for text in make_texts(conn, rows)}


def list_replies(conn: Connection, message_id: int) -> list[OutboundText]:
    """Replies to a message, automatic or by hand, oldest first."""
    query = select(outbound).where(outbound.c.in_reply_to == message_id)
    return make_texts(conn, conn.execute(query.order_by(outbound.c.id).limit(MAX_SHOWN)).all())


def list_sent_in(
    conn: Connection, conversation_id: int, *, before: int | None, limit: int
) -> list[OutboundText]:
    """The texts of a conversation that went out or are to, newest first."""
    query = select(outbound).where(outbound.c.conversation_id == conversation_id)
    if before is not None:
        query = query.where(outbound.c.id < before)
    return make_texts(conn, conn.execute(query.order_by(outbound.c.id.desc()).limit(limit)).all())


def read_history(conn: Connection, outbound_id: int) -> OutboundHistory:
    """What a text went through, oldest first."""
    return OutboundHistory(_list_attempts(conn, outbound_id), list_changes(conn, outbound_id))


def _list_attempts(conn: Connection, outbound_id: int) -> list[Attempt]:
    table = send_attempts.c
    columns = [column for column in table if column.name != "outbound_id"]
    query = select(*columns).where(table.outbound_id == outbound_id).order_by(table.attempt)
    return [Attempt(*row) for row in conn.execute(query.limit(MAX_SHOWN))]


def list_recipients(
    conn: Connection, outbound_id: int, *, before: int | None, limit: int
) -> list[Recipient]:
    """The provider's messages of a text, newest first."""
    table = provider_messages.c
    query = select(
        table.id, table.provider_id, table.destination, table.status, table.updated_at
    ).where(table.outbound_id == outbound_id)
    if before is not None:
        query = query.where(table.id < before)
    return [Recipient(*row) for row in conn.execute(query.order_by(table.id.desc()).limit(limit))]


def make_texts(conn: Connection, rows: Sequence[Row[Any]]) -> list[OutboundText]:
    """Rows of the outbox with what the provider's messages say of them."""
    ids = _read_ids(conn, [row.id for row in rows if row.to_number is not None])
    counts = _count_recipients(conn, [row.id for row in rows if row.to_number is None])
    return [_make_text(row, ids.get(row.id, ()), counts.get(row.id)) for row in rows]


def _read_ids(conn: Connection, ids: Sequence[int]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    if ids:
        table = provider_messages.c
        query = select(table.outbound_id, table.provider_id).where(table.outbound_id.in_(ids))
        for row in conn.execute(query.order_by(table.outbound_id, table.id)):
            found.setdefault(row.outbound_id, []).append(row.provider_id)
    return found


def _count_recipients(conn: Connection, ids: Sequence[int]) -> dict[int, dict[str, int]]:
    """By our statuses, not the provider's."""
    found: dict[int, dict[str, int]] = {each: {} for each in ids}
    if ids:
        table = provider_messages.c
        query = (
            select(table.outbound_id, table.status, func.count())
            .where(table.outbound_id.in_(ids))
            .group_by(table.outbound_id, table.status)
        )
        for outbound_id, word, count in conn.execute(query):
            counts, status = found[outbound_id], str(read_outcome(word))
            counts[status] = counts.get(status, 0) + count
    return found


def _make_text(
    row: Row[Any], provider_ids: Sequence[str], recipients: Mapping[str, int] | None
) -> OutboundText:
    return OutboundText(
        **{name: getattr(row, name) for name in _AS_STORED},
        to=row.to_number,
        list=row.list_name,
        group=row.group_name,
        recipients=recipients,
        provider_ids=tuple(provider_ids),
        background_ids=tuple(row.background_ids),
        error=_make_error(row),
        metadata=row.metadata or {},
    )


def _make_error(row: Row[Any]) -> OutboundError | None:
    """What the provider or the call said, else why nothing more is expected."""
    text = row.error_text or row.settled_reason
    if not row.error_code and not text:
        return None
    return OutboundError(int(row.error_code) if row.error_code else None, text or "")
