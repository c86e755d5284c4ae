"""Takes an erased number out of texts that go out, and out of the rows they were made from."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, or_, select, update

from app.domain.ids import LAST_ID
from app.domain.inbound.messages import make_number_key
from app.domain.outbound.states import WAITING, OutboundStatus
from app.domain.outbound.transitions import OutboundEvent
from app.domain.written_numbers import NumberForms
from app.storage.db.key_walks import Key
from app.storage.inbound.text_search import MESSAGE_INDEX
from app.storage.operations.alerts import close_alert
from app.storage.operations.erasures.redaction import (
    Done,
    Erasing,
    is_named_by,
    read_row,
    redact_row,
)
from app.storage.operations.erasures.tombstones import bury_sent
from app.storage.outbound.history import note_changes
from app.storage.outbound.removal import ENDED, remove_texts
from app.storage.outbound.sending.expiry import end_waiting
from app.storage.outbound.sending.result_events import UNCERTAIN_ALERT
from app.storage.outbound.text_search import OUTBOUND_INDEX, replace_text
from app.storage.tables.batches import batch_rows, batches
from app.storage.tables.inbound import messages
from app.storage.tables.outbound import (
    has_status,
    is_waiting,
    outbound,
    provider_messages,
)

REASON = "the number it goes to, or speaks of, was erased"
# At once: on SQLite nobody else can write meanwhile.
CANCELLED = 50
MOST_CANDIDATES = 1_000


def cancel_erased(conn: Connection, number: str, now: datetime) -> int:
    """Cancel some texts that wait for a number; returns how many."""
    query = select(outbound.c.id).where(
        outbound.c.to_key == make_number_key(number), is_waiting(outbound)
    )
    ids = conn.execute(query.limit(CANCELLED).with_for_update(skip_locked=True)).scalars().all()
    return _cancel(conn, ids, now)


def list_kept_there(conn: Connection, number: str, now: datetime) -> list[int]:
    """The texts to a number that are scheduled at the provider."""
    table = outbound.c
    query = select(table.id).where(
        table.to_key == make_number_key(number),
        has_status(outbound, OutboundStatus.SENT),
        table.schedule_by == "provider",
        table.schedule_at > now,
        table.settled_at.is_(None),
    )
    return list(conn.execute(query.order_by(table.id)).scalars())


def is_being_sent(conn: Connection, number: str) -> bool:
    """Whether a text to the number is on its way to the provider, or to be cancelled still."""
    sending = has_status(outbound, OutboundStatus.SENDING)
    query = select(outbound.c.id).where(
        outbound.c.to_key == make_number_key(number), or_(sending, is_waiting(outbound))
    )
    return conn.execute(query.limit(1)).first() is not None


def erase_text(conn: Connection, key: Key, erasing: Erasing) -> Done:
    """Remove a text to the number, once it is not being sent; redact one that speaks of it.

    One that speaks of it and still waits is cancelled: it must not go out in another form.
    """
    row = read_row(conn, outbound, key)
    if row is None or row.status == OutboundStatus.SENDING:
        return None
    if is_named_by(row, erasing.forms, "to_number", "to_key", "source"):
        _remove_text(conn, row, erasing.now)
        return "removed"
    if row.status in WAITING:
        _cancel(conn, [row.id], erasing.now)
    is_known_by = erasing.forms.is_in(row.reference)
    more: dict[str, Any] = {"reference_key": None} if is_known_by else {}
    done = redact_row(conn, outbound, key, erasing, **more)
    body = erasing.forms.redact(row.body)
    if body != row.body:
        replace_text(conn, row.id, row.body, body)
    return done


def erase_in_batch(conn: Connection, key: Key, erasing: Erasing) -> Done:
    """Redact a batch; one whose text named the number makes no more texts of its rows."""
    row = read_row(conn, batches, key)
    if row is None:
        return None
    stops = row.state == "queueing" and is_named_by(row, erasing.forms, "body")
    more = {"state": "cancelling", "cancelled_by": "erasure"} if stops else {}
    return redact_row(conn, batches, key, erasing, **more)


def erase_batch_row(conn: Connection, key: Key, erasing: Erasing) -> Done:
    """Empty a row of the number, and redact one that speaks of it.

    Either counts as a bad one: no text is made of it any more.
    """
    conn.execute(select(batches.c.id).where(batches.c.id == key[0]).with_for_update())
    row = read_row(conn, batch_rows, key)
    if row is None:
        return None
    if not is_named_by(row, erasing.forms, "number"):
        return _redact_batch_row(conn, row, key, erasing)
    table = batch_rows.c
    emptied = {
        "cells": ["" for _ in row.cells],
        "number": None,
        "fault": "number",
        "fault_text": "the number was erased",
        "is_opted_out": False,
        "outbound_id": None,
    }
    mine = (table.batch_id == row.batch_id) & (table.place == row.place)
    conn.execute(update(batch_rows).where(mine).values(emptied))
    if row.fault is None:
        _count_as_bad(conn, row)
    return "changed"


def _redact_batch_row(conn: Connection, row: Any, key: Key, erasing: Erasing) -> Done:
    if row.fault is not None or row.outbound_id is not None:
        return redact_row(conn, batch_rows, key, erasing)
    _count_as_bad(conn, row)
    bad: dict[str, Any] = {
        "fault": "number",
        "fault_text": "a number in it was erased",
        "is_opted_out": False,
    }
    return redact_row(conn, batch_rows, key, erasing, **bad)


def _count_as_bad(conn: Connection, row: Any) -> None:
    table = batches.c
    unsent = update(batches).where(table.id == row.batch_id, table.state.not_in(ENDED))
    out = int(row.is_opted_out)
    conn.execute(
        unsent.values(
            bad=table.bad + 1,
            opted_out=table.opted_out - out,
            parts=table.parts - (0 if out else row.parts),
        )
    )


def _remove_text(conn: Connection, row: Any, now: datetime) -> None:
    ids = select(provider_messages.c.provider_id).where(provider_messages.c.outbound_id == row.id)
    bury_sent(conn, conn.execute(ids).scalars().all(), now)
    close_alert(conn, UNCERTAIN_ALERT, str(row.id), now=now)
    unsettled = (outbound.c.id == row.id) & outbound.c.settled_at.is_(None)
    conn.execute(update(outbound).where(unsettled).values(settled_at=now))
    remove_texts(conn, [row.id])


def _cancel(conn: Connection, ids: Sequence[int], now: datetime) -> int:
    ended = end_waiting(conn, ids, OutboundEvent.CANCELLED, REASON, now)
    note_changes(conn, ended, now)
    return len(ended)


def merge_indexes(conn: Connection, *, begins: bool) -> bool:
    """Merge a few pages of the search indexes, in which SQLite keeps what was removed until then.

    Returns whether there is more to do.
    """
    more = [each.optimize(conn, begins_whole=begins) for each in (MESSAGE_INDEX, OUTBOUND_INDEX)]
    return any(more)


def count_stray_entries(conn: Connection, forms: NumberForms) -> int:
    """How many entries of SQLite's search indexes have the number's digits, but no text."""
    if conn.dialect.name == "postgresql":
        return 0
    found = 0
    for index, table in ((MESSAGE_INDEX, messages), (OUTBOUND_INDEX, outbound)):
        words = [forms.digits]
        query = index.select_candidates(
            "sqlite", words, top=LAST_ID, bottom=0, count=MOST_CANDIDATES
        )
        ids = conn.execute(query).scalars().all()
        there = select(func.count()).where(table.c.id.in_(ids))
        found += len(ids) - conn.execute(there).scalar_one()
    return found
