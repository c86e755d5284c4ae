"""Pauses all sending by hand, and resumes it."""

from datetime import datetime

from app.domain.lengths import LONGEST_REASON, check_length
from app.storage.access.audit import add_audit
from app.storage.db.database import Connection
from app.storage.outbound.sending.sender import (
    get_sender,
    pause_sender,
    resume_sender,
    tell_resumed,
)

SUBJECT = "sender"


def pause_sending(conn: Connection, who: str, reason: str | None, now: datetime) -> None:
    """Nothing goes out until somebody resumes it; texts keep their places. Adds an alert."""
    check_length("reason", reason, LONGEST_REASON)
    add_audit(conn, who, "sender.pause", SUBJECT, {"reason": reason}, now)
    pause_sender(conn, who, reason, now)


def resume_sending(conn: Connection, who: str, reason: str | None, now: datetime) -> bool:
    """Let sending go on, whoever or whatever paused it; returns whether it was not running."""
    before = get_sender(conn)
    if not resume_sender(conn, who, now):
        return False
    detail = {"reason": reason, "was": before.state}
    add_audit(conn, who, "sender.resume", SUBJECT, detail, now)
    tell_resumed(conn, now)
    return True
