"""Records what attempts came to, for all endpoints of a process at once."""

from collections.abc import Callable, Sequence
from datetime import datetime

from app.domain.webhooks.retries import Verdict, plan_retry
from app.domain.webhooks.urls import name_host
from app.flows.webhooks.lanes import Lane, Result
from app.storage.db.database import Connection, Database
from app.storage.operations.alerts import raise_alert
from app.storage.webhooks.deliveries import KEPT_DELIVERED, DeliveryRecord, DeliveryState
from app.storage.webhooks.recording import (
    EndpointRecord,
    Standing,
    record_attempts,
)

DISABLED = "webhook-disabled"


async def record_lanes(
    database: Database,
    lanes: Sequence[Lane],
    holder: str,
    *,
    now: datetime,
    draw: Callable[[], float],
) -> bool:
    """Record all results there are, each endpoint's together with its place.

    Returns whether an alert was raised. Raises Unavailable; nothing has changed then.
    """
    records = [_describe(lane, now, draw) for lane in sorted(lanes, key=lambda each: each.hook.id)]
    counts = {lane.hook.id: len(lane.results) for lane in lanes}
    standings, is_told = await database.write(_write, records, holder, now)
    places = {each.id: each for each in records}
    for lane in lanes:
        _note(lane, counts[lane.hook.id], places[lane.hook.id], standings.get(lane.hook.id))
    return is_told


def _note(lane: Lane, count: int, record: EndpointRecord, standing: Standing | None) -> None:
    lane.forget(count)
    lane.stored_to = record.position
    # An outage that began since is not over yet.
    if lane.recovered_from == record.recovered_from:
        lane.recovered_from = None
    if record.is_trimmed:
        lane.delivered = 0
    lane.is_told = lane.is_told or record.is_news
    if standing is None or not standing.is_current:
        lane.is_leaving = True
    else:
        lane.standing = standing


def _write(
    conn: Connection, records: Sequence[EndpointRecord], holder: str, now: datetime
) -> tuple[dict[int, Standing], bool]:
    standings = record_attempts(conn, records, holder, now)
    disabled = [
        each
        for each in records
        if each.is_news and each.id in standings and standings[each.id].is_current
    ]
    for each in disabled:
        raise_alert(
            conn,
            DISABLED,
            str(each.id),
            text=f"The webhook at {name_host(each.url)} is disabled: {each.disabled_reason}.",
            action=f"See /webhooks/{each.id}. Once the endpoint works again, enable it: what it has"
            " missed is delivered then, as far back as seven days.",
            now=now,
        )
    return standings, bool(disabled)


def _describe(lane: Lane, now: datetime, draw: Callable[[], float]) -> EndpointRecord:
    hook = lane.hook
    return EndpointRecord(
        id=hook.id,
        url=hook.url,
        revision=hook.revision,
        ordered=hook.ordered,
        position=lane.done_to,
        failing_since=lane.failing_since,
        resume_at=lane.resume_at,
        disabled_at=lane.disabled_at,
        disabled_reason=lane.disabled_reason,
        last_message_id=lane.last_message_id,
        records=[_describe_delivery(hook.id, each, now, draw) for each in lane.results],
        recovered_from=lane.recovered_from,
        is_trimmed=lane.delivered >= KEPT_DELIVERED,
        is_news=lane.disabled_at is not None and not lane.is_told,
    )


def _describe_delivery(
    webhook_id: int, result: Result, now: datetime, draw: Callable[[], float]
) -> DeliveryRecord:
    payload, row, answer = result.attempt.payload, result.attempt.row, result.answer
    made = result.attempt.made + (answer is not None)
    due_at: datetime | None = now
    state: DeliveryState = "waiting"
    if answer is not None and answer.verdict is Verdict.DELIVERED:
        state, due_at = "delivered", None
    elif answer is not None:
        due_at = plan_retry(made, now, draw(), answer.pause)
        state = "failed" if due_at is None else "waiting"
    return DeliveryRecord(
        webhook_id=webhook_id,
        message_id=payload.message_id,
        event_id=payload.event_id,
        type=payload.type,
        order_key=payload.order_key,
        body=payload.body,
        state=state,
        attempts=made,
        happened_at=payload.happened_at,
        created_at=result.began_at if row is None else row.created_at,
        attempted_at=None if answer is None else result.began_at,
        due_at=due_at,
        status=None if answer is None else answer.status,
        answer="" if answer is None else answer.body,
        error="" if answer is None else answer.error,
        milliseconds=None if answer is None else round(answer.seconds * 1000),
    )
