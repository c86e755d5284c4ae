"""What answering a batch of messages reads beforehand and writes: histories, outcomes, repeats."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    exists,
    func,
    insert,
    literal_column,
    select,
    update,
)

from app.domain.inbound.duplicates import TOLERANCE, Candidate
from app.domain.outbound.states import OutboundStatus
from app.domain.rules.answering import History, OurNumber
from app.domain.rules.rules import Rule
from app.storage.db.writes import BulkWrite, Writes, make_bulk_update
from app.storage.tables.access import numbers
from app.storage.tables.conversations import conversations
from app.storage.tables.inbound import message_index, messages
from app.storage.tables.outbound import outbound, status_changes

_DAY_SECONDS = 86_400

Outcomes = Mapping[tuple[str | None, int | None], Sequence[int]]


def read_our_numbers(conn: Connection) -> dict[str, OurNumber]:
    """Every number that is configured."""
    query = select(numbers.c.number, numbers.c.merge_field_names, numbers.c.opt_out_reply)
    return {row.number: OurNumber(*row) for row in conn.execute(query)}


def add_last_replies(
    conn: Connection, pairs: Mapping[int, History], rules: Iterable[Rule], now: datetime
) -> None:
    """Complete the histories (by conversation) where rules wait longer than the day of those."""
    slow = {
        rule.id: rule.cooldown_seconds for rule in rules if rule.cooldown_seconds > _DAY_SECONDS
    }
    if not slow:
        return
    table = outbound.c
    newest = func.max(table.created_at, type_=table.created_at.type).label("created_at")
    since = now - timedelta(seconds=max(slow.values()))
    found = (
        select(table.conversation_id, table.rule_id, newest)
        .where(
            table.conversation_id.in_(pairs),
            table.origin != "person",
            table.created_at > since,
            table.rule_id.in_(slow),
        )
        .group_by(table.conversation_id, table.rule_id)
    )
    for row in conn.execute(found):
        pairs[row.conversation_id].by_rule[row.rule_id] = row.created_at


def fail_reply(conn: Connection, outbound_id: int, reason: str, now: datetime) -> None:
    """Settle a reply that cannot go out, before anybody tries."""
    conn.execute(
        update(outbound)
        .where(outbound.c.id == outbound_id)
        .values(
            status=OutboundStatus.FAILED,
            error_text=reason,
            settled_at=now,
            settled_reason=reason,
        )
    )
    conn.execute(
        insert(status_changes).values(
            outbound_id=outbound_id, status=OutboundStatus.FAILED, source="rule", changed_at=now
        )
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


def find_reported(
    conn: Connection, conversation_ids: Iterable[int], since: datetime
) -> list[Candidate]:
    """Texts of these conversations that the report brought and that no forward has repeated."""
    given = {"pairs": sorted(conversation_ids), "since": since - TOLERANCE}
    return [Candidate(*row) for row in conn.execute(_select_reported(), given)]


@cache
def _select_reported() -> Any:
    repeat = messages.alias()
    return _select_sightings().where(
        message_index.c.via == literal_column("'report'"),  # as the partial index has it
        messages.c.received_at >= bindparam("since"),
        ~exists().where(repeat.c.duplicate_of == messages.c.id),
    )


def find_forwarded(
    conn: Connection, conversation_ids: Iterable[int], after: int
) -> list[Candidate]:
    """Forwards that were handled before a text of the report that was stored before them."""
    query = _select_sightings().where(
        message_index.c.message_id > after,
        message_index.c.via != "report",
        messages.c.handled_at.is_not(None),
        messages.c.duplicate_of.is_(None),
    )
    given = {"pairs": sorted(conversation_ids)}
    return [Candidate(*row) for row in conn.execute(query, given)]


def note_repeats(conn: Connection, repeats: Mapping[int, int]) -> None:
    """Say of forwards (ids) which message each one repeats."""
    for forward_id, report_id in sorted(repeats.items()):
        conn.execute(
            update(messages).where(messages.c.id == forward_id).values(duplicate_of=report_id)
        )


def count_repeats_as_read(conn: Connection, repeats: Mapping[int, int], now: datetime) -> None:
    """Let forwards that repeat a text not count a second time as unread."""
    for forward_id, conversation_id in sorted(repeats.items()):
        unread = (message_index.c.message_id == forward_id, message_index.c.unread)
        if conn.execute(update(message_index).where(*unread).values(unread=False)).rowcount:
            conn.execute(
                update(conversations)
                .where(conversations.c.id == conversation_id, conversations.c.unread > 0)
                .values(unread=conversations.c.unread - 1)
            )
            conn.execute(update(messages).where(messages.c.id == forward_id).values(read_at=now))


def _select_sightings() -> Any:
    joined: ColumnElement[bool] = messages.c.id == message_index.c.message_id
    return (
        select(
            messages.c.id,
            message_index.c.conversation_id,
            messages.c.body,
            messages.c.received_at,
            messages.c.provider_id,
        )
        .join(message_index, joined)
        .where(message_index.c.conversation_id.in_(bindparam("pairs", expanding=True)))
    )
