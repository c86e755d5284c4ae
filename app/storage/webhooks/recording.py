"""Records what attempts came to: deliveries, and where each endpoint stands."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, select

from app.storage.db.writes import BulkWrite, Writes, make_bulk_insert, make_bulk_update
from app.storage.tables.webhooks import webhook_deliveries, webhooks
from app.storage.webhooks.deliveries import (
    DeliveryRecord,
    count_waiting,
    hasten_waiting,
    list_stuck_keys,
    trim_deliveries,
)


@dataclass(slots=True, kw_only=True)
class EndpointRecord:
    """Where an endpoint stands after its attempts; written only while `revision` is its own.

    `recovered_from` is when the failures began that a success has ended: what failed since then is
    due now. `is_trimmed`: its finished deliveries have become many. `is_news`: that it is disabled.
    """

    id: int
    url: str
    revision: int
    ordered: bool
    position: int
    failing_since: datetime | None
    resume_at: datetime | None
    disabled_at: datetime | None
    disabled_reason: str | None
    last_message_id: str | None
    records: list[DeliveryRecord] = field(default_factory=list)
    recovered_from: datetime | None = None
    is_trimmed: bool = False
    is_news: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """What the next attempts need to know: how many deliveries wait, and for which keys.

    `is_current` is false where somebody has changed the endpoint, or another process holds it.
    """

    is_current: bool
    waiting: int = 0
    stuck_keys: frozenset[str] = frozenset()


_STORED = ("position", "failing_since", "resume_at", "disabled_at", "disabled_reason")


def record_attempts(
    conn: Connection, endpoints: Sequence[EndpointRecord], holder: str, now: datetime
) -> dict[int, Standing]:
    """By endpoint, how it stands; those that were removed are missing, and nothing is kept of them.

    Deliveries are kept even where somebody has changed the endpoint, because they happened. Another
    process that holds it by now attempts them again: nothing is kept of these either.
    """
    found = _lock(conn, [each.id for each in endpoints])
    ours = [each for each in endpoints if each.id in found and found[each.id].holder == holder]
    current = [each for each in ours if found[each.id].revision == each.revision]
    writes = Writes()
    writes.add(_upsert_deliveries(), [asdict(record) for each in ours for record in each.records])
    writes.add(_update_endpoints(), [_make_row(each) for each in current])
    writes.run(conn)
    for each in ours:
        if each.recovered_from is not None:
            hasten_waiting(conn, each.id, now, since=each.recovered_from)
        if each.is_trimmed:
            trim_deliveries(conn, each.id)
    waiting = count_waiting(conn, [each.id for each in ours]) if ours else {}
    return {each.id: _judge(conn, each, waiting, each in current) for each in ours}


def read_standing(conn: Connection, webhook_id: int, *, ordered: bool) -> Standing:
    """How an endpoint stands whose deliveries nobody attempts at the moment."""
    waiting = count_waiting(conn, [webhook_id]).get(webhook_id, 0)
    keys = list_stuck_keys(conn, webhook_id) if ordered and waiting else frozenset()
    return Standing(is_current=True, waiting=waiting, stuck_keys=keys)


def _judge(
    conn: Connection,
    each: EndpointRecord,
    waiting: Mapping[int, int],
    is_current: bool,
) -> Standing:
    count = waiting.get(each.id, 0)
    keys = list_stuck_keys(conn, each.id) if each.ordered and count else frozenset()
    return Standing(is_current, count, keys)


def _lock(conn: Connection, ids: Sequence[int]) -> dict[int, Any]:
    """Sorted, so that two processes cannot wait for each other."""
    query = select(webhooks.c.id, webhooks.c.holder, webhooks.c.revision)
    query = query.where(webhooks.c.id.in_(ids)).order_by(webhooks.c.id).with_for_update()
    return {row.id: row for row in conn.execute(query)}


def _make_row(each: EndpointRecord) -> dict[str, Any]:
    values = {name: getattr(each, name) for name in (*_STORED, "last_message_id")}
    return {"id": each.id, **values}


@cache
def _update_endpoints() -> BulkWrite:
    return make_bulk_update(webhooks, ("id",), (*_STORED, "last_message_id"))


@cache
def _upsert_deliveries() -> BulkWrite:
    names = [each.name for each in fields(DeliveryRecord)]
    changed = [name for name in names if name not in {"webhook_id", "message_id"}]

    def replace_last(statement: Any) -> Any:
        excluded = statement.excluded
        return statement.on_conflict_do_update(
            index_elements=["webhook_id", "message_id"],
            set_={name: excluded[name] for name in changed},
        )

    return make_bulk_insert(webhook_deliveries, names, replace_last)
