"""/sender: whether texts go out, and pausing them."""

from dataclasses import asdict
from typing import Annotated, Literal

from pydantic import Field

from app.api.core.calls import Call
from app.api.core.enums import SenderState
from app.api.core.etags import IfMatch
from app.api.core.routing import make_router
from app.api.core.schemas import Sent, Shown, Text, Time
from app.domain.lengths import LONGEST_REASON
from app.flows.outbound.sending.pause_sending import pause_sending, resume_sending
from app.storage.db.database import Connection
from app.storage.outbound.sending.backlog import count_uncertain, count_waiting
from app.storage.outbound.sending.sender import get_sender

router = make_router("/sender", "admin")

COUNTED_WAITING = 100_000


class Sender(Shown):
    """How sending is."""

    state: SenderState = Field(description="whether texts go out")
    reason: str | None = Field(description="why it does not run, as somebody or the provider said")
    changed_by: str | None = Field(description="a key, a session, the command line or `sender`")
    changed_at: Time | None = Field(description="when the state last changed")
    probe_at: Time | None = Field(description="when a stopped one tries again")
    credits: str | None = Field(description="a decimal, as it was when last looked at")
    credits_at: Time | None = Field(description="when they were last looked at")
    waiting: int = Field(description="texts that are queued or held, counted up to 100,000")
    uncertain: int = Field(description="texts of which nobody knows whether they went out")


class SenderChange(Sent):
    """Whether texts are to go out."""

    state: Literal["running", "paused"] = Field(description="`running` resumes a stopped one too")
    reason: Annotated[Text, Field(max_length=LONGEST_REASON)] | None = Field(
        None, description="why, for colleagues", examples=["Wrong prices in the newsletter"]
    )


@router.get("")
async def get_sender_state(call: Call) -> Sender:
    """Get the state of sending, the credits and how much waits."""
    return await call.database.read(_show)


@router.post("")
async def change_sender(body: SenderChange, call: Call, if_match: IfMatch) -> Sender:
    """Pause all sending, or have it go on, also where an error about the account stopped it.

    While it is paused texts keep their places, calls under way end, and automatic replies
    whose time is over expire.
    """
    database = call.database
    await if_match.check_read(lambda: database.read(_show))
    change = pause_sending if body.state == "paused" else resume_sending
    await database.write(change, call.actor, body.reason, call.now)
    call.runtime.announce_texts()
    return await database.read(_show)


def _show(conn: Connection) -> Sender:
    counts = {
        "waiting": count_waiting(conn, at_most=COUNTED_WAITING),
        "uncertain": count_uncertain(conn),
    }
    return Sender.model_validate({**asdict(get_sender(conn)), **counts})
