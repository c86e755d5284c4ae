"""The texts that reached a virtual number, and how forwarding each of them went."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from app.simulator.state.config import ListEntry, NumberConfig


@dataclass(slots=True)
class ForwardAttempt:
    """One call to the owner's URL: `answer` is the HTTP status, `error` what broke instead.

    `accepted` says whether the owner took it, as far as the provider can tell.
    """

    at: datetime
    answer: int | None = None
    error: str | None = None
    seconds: float | None = None
    accepted: bool = False


@dataclass(slots=True)
class IncomingText:
    """A text to a number; `report_id` differs from the forwarded id if the switch says so."""

    id: int
    report_id: int
    username: str
    source: str
    dest: str
    body: str
    received_at: datetime
    attempts: list[ForwardAttempt] = field(default_factory=list)

    def as_json(self) -> dict[str, object]:
        return {
            "id": str(self.id),
            "report_id": str(self.report_id),
            "username": self.username,
            "source": self.source,
            "dest": self.dest,
            "body": self.body,
            "received_at": self.received_at.isoformat(),
            "accepted": any(attempt.accepted for attempt in self.attempts),
            "attempts": [
                {
                    "at": attempt.at.isoformat(),
                    "answer": attempt.answer,
                    "error": attempt.error,
                    "seconds": attempt.seconds,
                }
                for attempt in self.attempts
            ],
        }


class Incoming:
    def __init__(self, first_id: int, numbers: tuple[NumberConfig, ...]) -> None:
        self.texts: list[IncomingText] = []
        self.numbers = {number.number: number for number in numbers}
        self._first_id = first_id

    def add(
        self,
        number: NumberConfig,
        source: str,
        body: str,
        received_at: datetime,
        *,
        other_ids: bool,
        ids: int | None,
    ) -> IncomingText:
        """Store a text under a new id; with `ids`, ids repeat after so many texts."""
        offset = len(self.texts)
        own_id = self._first_id + (offset if ids is None else offset % ids)
        text = IncomingText(
            id=own_id,
            report_id=offset + 1 if other_ids else own_id,
            username=number.username,
            source=source,
            dest=number.number,
            body=body,
            received_at=received_at,
        )
        self.texts.append(text)
        return text

    def visible(self, names: frozenset[str], instant: datetime) -> Iterator[IncomingText]:
        """The texts to some accounts' numbers at an instant, oldest first."""
        for index in range(len(self.texts)):
            text = self.texts[index]
            if text.username in names and text.received_at <= instant:
                yield text


def merge_fields(entries: tuple[ListEntry, ...], source: str) -> dict[str, str] | None:
    """A sender's merge fields under the page's parameter names, None if unlisted."""
    for entry in entries:
        if entry.number == source:
            return {"MMName": entry.name, "MMEmail": entry.email} | {
                f"MM{index}": entry.fields[index - 1] if index <= len(entry.fields) else ""
                for index in range(1, 6)
            }
    return None
