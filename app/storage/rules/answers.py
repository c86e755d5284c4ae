"""What answering reads beforehand, and replies that fail before they are sent."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, insert, select, update

from app.domain.outbound.states import OutboundStatus
from app.domain.rules.answering import OurNumber
from app.domain.rules.rules import Rule
from app.storage.rules.pair_context import Pair
from app.storage.tables.access import numbers
from app.storage.tables.outbound import outbound, status_changes

_DAY_SECONDS = 86_400


def read_our_numbers(conn: Connection) -> dict[str, OurNumber]:
    """The configured numbers."""
    query = select(numbers.c.number, numbers.c.merge_field_names, numbers.c.opt_out_reply)
    return {row.number: OurNumber(*row) for row in conn.execute(query)}


def add_last_replies(
    conn: Connection, pairs: Mapping[int, Pair], rules: Iterable[Rule], now: datetime
) -> None:
    """Extend the day's histories of pairs (by conversation) for rules with longer cooldowns."""
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
        pairs[row.conversation_id].open_history().by_rule[row.rule_id] = row.created_at


def fail_reply(conn: Connection, outbound_id: int, reason: str, now: datetime) -> None:
    """Settle a reply that cannot be sent as failed."""
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
