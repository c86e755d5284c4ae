"""Notes in the audit trail what was done outside the database, such as at the provider."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from app.storage.access.audit import add_audit
from app.storage.db.database import Database


async def note_action(
    database: Database,
    action: str,
    subject: str,
    detail: Mapping[str, Any] | None = None,
    *,
    who: str,
    now: datetime,
) -> None:
    """Who has done what to what, once it has been done; `detail` holds no secret."""
    await database.write(add_audit, who, action, subject, detail or {}, now)
