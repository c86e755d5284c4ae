"""Changes a text that still waits: what it says, or when it goes out."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from app.domain.errors import Conflict, InvalidInput
from app.domain.outbound.gsm import measure_text
from app.domain.outbound.states import WAITING, OutboundStatus
from app.flows.outbound.check_request import check_schedule
from app.provider.limits import check_body, check_encodable
from app.storage.access.audit import add_audit
from app.storage.db.database import Connection, Database
from app.storage.outbound.cancellations import describe_obstacle
from app.storage.outbound.changes import LockedText, change_waiting, lock_text
from app.storage.outbound.text_search import replace_text
from app.storage.outbound.texts import OutboundText, get_outbound

Unchanged = Literal["unchanged"]


@dataclass(frozen=True, slots=True)
class TextChanges:
    """What a text is to become; None as `schedule_at` sends it at once."""

    body: str | None = None
    schedule_at: datetime | Unchanged | None = "unchanged"


def accept(_conn: Connection) -> None:
    """No objection."""


async def change_text(
    database: Database,
    outbound_id: int,
    changes: TextChanges,
    *,
    check: Callable[[Connection], None] = accept,
    who: str,
    zone: ZoneInfo,
    now: datetime,
) -> OutboundText:
    """Change a text that waits here; its parts are counted anew and its history says so.

    `check` may object before anything is changed. Raises NotFound, InvalidInput, and Conflict that
    says why it can no longer be changed.
    """
    if changes.body is not None:
        _check_body(changes.body)

    def change(conn: Connection) -> OutboundText:
        text = lock_text(conn, outbound_id)
        check(conn)
        _check_state(text, now)
        values, notes = _list_changes(text, changes, zone, now)
        if notes:
            change_waiting(conn, outbound_id, values, ", ".join(notes), who, now)
            if "body" in values:
                replace_text(conn, outbound_id, text.body, values["body"])
            add_audit(conn, who, "outbound.change", str(outbound_id), {"changed": notes}, now)
        return get_outbound(conn, outbound_id)

    return await database.write(change)


def _check_body(body: str) -> None:
    check_body(body)
    if "\0" in body:
        raise InvalidInput("it holds a NUL character, which no text can", field="body")
    check_encodable([body])


def _check_state(text: LockedText, now: datetime) -> None:
    status = OutboundStatus(text.status)
    if text.origin != "person":
        raise Conflict("an automatic reply cannot be changed; cancel it and write one yourself")
    is_kept = text.schedule_by == "provider" and status is OutboundStatus.SENT
    if is_kept and text.schedule_at is not None and text.schedule_at > now:
        raise Conflict(
            "the provider holds this text, and cannot change it: cancel it and send a new one"
        )
    if status not in WAITING:
        raise Conflict(describe_obstacle(status))


def _list_changes(
    text: LockedText, changes: TextChanges, zone: ZoneInfo, now: datetime
) -> tuple[dict[str, Any], list[str]]:
    """The new values, and in words what changes."""
    values: dict[str, Any] = {}
    notes = []
    if changes.body is not None and changes.body != text.body:
        values |= {"body": changes.body, "parts": len(measure_text(changes.body).parts)}
        notes.append("text changed")
    at = changes.schedule_at
    if at != "unchanged" and at != text.schedule_at:
        schedule_by = None if at is None else text.schedule_by or "letterbox"
        check_schedule(at, schedule_by, zone, now)
        is_ours = at is not None and schedule_by == "letterbox"
        values |= {
            "schedule_at": at,
            "schedule_by": schedule_by,
            "due_at": at if is_ours else now,
            "send_before": (at or now) + timedelta(seconds=text.validity_seconds),
        }
        notes.append(_describe_time(at, zone))
    return values, notes


def _describe_time(at: datetime | None, zone: ZoneInfo) -> str:
    if at is None:
        return "to be sent at once"
    return f"time changed to {at.astimezone(zone):%-d %b %Y, %H:%M %Z}"
