"""The objects that events are about, as programs see them."""

from pydantic import Field

from app.api.core.schemas import Message, OptOut, Shown
from app.api.operations.schemas import Alert
from app.api.outbound.schemas import Outbound
from app.flows.operations.changes import Subject
from app.storage.inbound import search
from app.storage.operations import alerts
from app.storage.outbound.texts import OutboundText
from app.storage.rules.opt_outs import OptOutRecord


class OptOutChange(OptOut):
    """A number that has opted out, or back in; then the other fields are about that."""

    opted_out: bool = Field(
        validation_alias="is_out", description="false: it takes texts again", examples=[True]
    )


SHOWN: dict[type[Subject], type[Shown]] = {
    search.Message: Message,
    OutboundText: Outbound,
    alerts.Alert: Alert,
    OptOutRecord: OptOutChange,
}


def render_subject(subject: Subject) -> str:
    """The REST object of a message, a text that goes out, an alert or an opt-out, as JSON."""
    return SHOWN[type(subject)].model_validate(subject).model_dump_json()
