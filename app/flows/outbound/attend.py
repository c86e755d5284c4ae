"""Notes that somebody has dealt with a failed text to a list or group.

A text to a number is dealt with in its conversation; these have none.
"""

from datetime import datetime

from app.storage.access.audit import add_audit
from app.storage.conversations.attention import end_attention_alone
from app.storage.db.database import Connection, Database


async def attend_text(database: Database, outbound_id: int, *, who: str, now: datetime) -> None:
    """Any other text, and one that was dealt with before, stays as it is."""

    def attend(conn: Connection) -> None:
        if end_attention_alone(conn, outbound_id, now):
            add_audit(conn, who, "outbound.attend", str(outbound_id), {}, now)

    await database.write(attend)
