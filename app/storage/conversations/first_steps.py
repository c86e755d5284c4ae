"""How far a new installation has come, as the database shows."""

from dataclasses import dataclass

from sqlalchemy import Connection, FromClause, exists, select, true

from app.domain.outbound.states import OutboundStatus
from app.storage.tables.access import audit, number_auths, numbers
from app.storage.tables.inbound import messages
from app.storage.tables.outbound import has_status, outbound

# The action in the audit trail by which somebody hid the list.
DISMISSED = "first-steps.dismiss"

_SENT = (OutboundStatus.SENT, OutboundStatus.DELIVERED, OutboundStatus.UNDELIVERED)


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """What has been done. `has_auth`: a forward came with a right auth value."""

    has_number: bool
    has_auth: bool
    has_text: bool
    has_sent: bool


def read_first_steps(conn: Connection) -> FirstSteps | None:
    """None once somebody has dismissed the list of them."""
    if _has(conn, audit, audit.c.action == DISMISSED):
        return None
    has_forward = _has(conn, messages, messages.c.via == "forward")
    return FirstSteps(
        _has(conn, numbers),
        has_forward or _has(conn, number_auths, number_auths.c.last_seen_at.is_not(None)),
        has_forward or _has(conn, messages),
        any(_has(conn, outbound, has_status(outbound, each)) for each in _SENT),
    )


def _has(conn: Connection, table: FromClause, condition: object = None) -> bool:
    wanted = true() if condition is None else condition
    return bool(conn.execute(select(exists(select(table).where(wanted)))).scalar())  # type: ignore[arg-type]
