"""Notes that somebody has dealt with a failed text to a list or group.

A text to a number is dealt with in its conversation; these have none.
"""

from datetime import datetime

from app.domain.errors import Conflict
from app.storage.access.audit import add_audit
from app.storage.conversations.attention import end_attention_alone
from app.storage.db.database import Connection, Database
from app.storage.outbound.texts import OutboundText, get_outbound


async def attend_text(
    database: Database, outbound_id: int, *, who: str, now: datetime
) -> OutboundText:
    """One that was dealt with before stays as it is.

    Raises NotFound, and Conflict for a text that has not failed or that a conversation shows.
    """

    def attend(conn: Connection) -> OutboundText:
        if end_attention_alone(conn, outbound_id, now):
            add_audit(conn, who, "outbound.attend", str(outbound_id), {}, now)
        found = get_outbound(conn, outbound_id)
        if found.attended_at is None:
            raise Conflict(
                "only a text that has failed needs to be dealt with"
                if found.conversation_id is None
                else "a text to a number is dealt with in its conversation: mark that as done"
            )
        return found

    return await database.write(attend)
