"""Who did what."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert

from app.storage.outbound_tables import audit


def add_audit(
    conn: Connection,
    actor: str,
    action: str,
    subject: str,
    detail: Mapping[str, Any],
    now: datetime,
) -> None:
    """`actor` is a key, a session or the command line; `detail` holds no secret."""
    conn.execute(
        insert(audit).values(
            done_at=now, actor=actor, action=action, subject=subject, detail=dict(detail)
        )
    )
