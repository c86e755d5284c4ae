"""Resolves an uncertain text as a person says, where no report proves what became of it."""

from datetime import datetime
from typing import Literal

from app.domain.errors import InvalidInput
from app.domain.outbound.transitions import OutboundEvent
from app.provider.limits import check_word
from app.storage.access.audit import add_audit
from app.storage.db.database import Connection, Database
from app.storage.outbound.sending.resolving import resolve_by_hand
from app.storage.outbound.texts import OutboundText, get_outbound

ResolvedOutcome = Literal["sent", "resend", "failed"]

_EVENTS: dict[ResolvedOutcome, OutboundEvent] = {
    "sent": OutboundEvent.SENT_BY_HAND,
    "resend": OutboundEvent.RESENT_BY_HAND,
    "failed": OutboundEvent.FAILED_BY_HAND,
}


async def resolve_text(
    database: Database,
    outbound_id: int,
    outcome: ResolvedOutcome,
    *,
    provider_id: str | None = None,
    attempt: int | None = None,
    who: str,
    now: datetime,
) -> OutboundText:
    """Say that it was sent (with the provider's id it is followed), have it sent again, or give up.

    `attempt` is the one that the person looked at: of a later one they know nothing.

    Raises InvalidInput, NotFound, and Conflict where the text is not uncertain.
    """
    if provider_id is not None:
        if outcome != "sent":
            raise InvalidInput("only a text that was sent has a provider's id", field="provider_id")
        check_word(provider_id, "provider_id")
    detail = {"outcome": outcome} | ({"provider_id": provider_id} if provider_id else {})

    def resolve(conn: Connection) -> OutboundText:
        add_audit(conn, who, "outbound.resolve", str(outbound_id), detail, now)
        resolve_by_hand(conn, outbound_id, _EVENTS[outcome], provider_id, who, now, attempt=attempt)
        return get_outbound(conn, outbound_id)

    return await database.write(resolve)
