"""Changes a member; what was assigned to somebody who is deactivated is nobody's then."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from app.flows.access.set_member import CheckMember, set_member
from app.flows.conversations.change_conversations import ConversationChange, change_all
from app.storage.access.members import Member
from app.storage.conversations.conversations import list_assigned
from app.storage.db.database import Database

# In each transaction, so that others can write in between.
STEP = 100


async def change_member(
    database: Database,
    member_id: int,
    changes: Mapping[str, Any],
    *,
    check: CheckMember = lambda _: None,
    who: str,
    now: datetime,
) -> Member:
    """Set `name`, `role` and `state`, as `set_member` does, and raise what it does.

    Who is deactivated once more loses what an interrupted first time left assigned.
    """
    changed = await set_member(database, member_id, changes, check=check, who=who, now=now)
    if changed.state == "deactivated":
        unassign = ConversationChange(unassign=True)
        while ids := await database.read(list_assigned, member_id, STEP):
            await change_all(database, ids, unassign, who=who, now=now)
    return changed
