"""The objects about the operation of the service that several interfaces show."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from app.api.core.schemas import Shown, Time, read_id
from app.domain.ids import Prefix, encode_id
from app.domain.operations.alert_kinds import Severity

# Alerts whose subject is a row: programs see its id.
_SUBJECTS: dict[str, Prefix] = {
    "uncertain": "out",
    "late-answer": "out",
    "reply-too-long": "rul",
    "webhook-disabled": "whk",
    "webhook-gap": "whk",
    "webhook-secret": "whk",
}


class Alert(Shown):
    """Something that needs a person."""

    id: Annotated[str, read_id("alr")] = Field(description="opaque", examples=["alr_5"])
    kind: str = Field(description="stable for programs", examples=["process-vanished"])
    severity: Severity = Field(description="how urgent it is", examples=["critical"])
    subject: str = Field(description="which one")
    text: str = Field(description="what is the matter, for people")
    action: str = Field(description="what to do")
    runbook: str = Field(
        description="the page that explains this kind, below PUBLIC_URL; for a browser",
        examples=["/alerts/help#process-vanished"],
    )
    count: int = Field(description="how often it was found since it opened")
    opened_at: Time = Field(description="when it was found first")
    updated_at: Time = Field(description="when it was found last, or closed")
    closed_at: Time | None = Field(description="when it was over; null: it is open")

    @model_validator(mode="after")
    def _show_id(self) -> Self:
        prefix = _SUBJECTS.get(self.kind)
        if prefix is not None and self.subject.isdecimal():
            self.subject = encode_id(prefix, int(self.subject))
        return self
