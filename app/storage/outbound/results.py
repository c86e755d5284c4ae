"""What calls came to, from whoever made them to those who write it down and tell of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row

from app.domain.outbound.retries import Step
from app.domain.outbound.send_outcomes import SendOutcome
from app.storage.outbound.claims import ClaimedText
from app.storage.outbound.history import StatusChange


@dataclass(frozen=True, slots=True)
class SendResult:
    """What a call for a text came to. `code` and `answer` are the provider's or the error's words.

    `provider_ids` are those of the text's parts, `background_ids` of a list's or group's sends.
    """

    text: ClaimedText
    outcome: SendOutcome
    step: Step
    error_class: str | None = None
    code: str | None = None
    answer: str | None = None
    provider_ids: tuple[str, ...] = ()
    background_ids: tuple[str, ...] = ()

    @property
    def concerns_account(self) -> bool:
        """Whether it may stop all sending, or let it go on."""
        return self.step.stops_sender or self.text.is_probe


@dataclass(frozen=True, slots=True)
class Record:
    """`row` is the text as it was found; `is_late`: the answer came when nobody waited for it.

    `shared_ids` are those that another text, which is given with each, had before. `cancelled` are
    the ids of other texts that end with this one: only their events are missing.
    """

    row: Row[Any]
    result: SendResult
    change: StatusChange | None
    is_late: bool
    cancelled: tuple[int, ...] = ()
    shared_ids: Mapping[str, int] = field(default_factory=dict)
