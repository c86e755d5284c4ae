"""Why nothing would be sent now: said wherever somebody is about to write."""

from app.domain.access.members import describe_actor
from app.storage.outbound.sending.sender import get_sender
from app.web.core.site import Visit


async def find_obstacle(visit: Visit) -> str:
    """A sentence or two; "" while texts go out."""
    if visit.site.runtime.provider is None:
        return "No provider account is set up, so nothing can be sent."
    sender = await visit.database.read(get_sender)
    if sender.state == "running":
        return ""
    by = ""
    if sender.state == "paused" and sender.changed_by:
        by = f" by {describe_actor(sender.changed_by, visit.member_names)}"
    reason = f" ({sender.reason})" if sender.reason else ""
    return f"Sending is {sender.state}{by}{reason}: texts you send now wait until it resumes."
