"""The messages that were taken for sending, each with its ids, its plan and its cost."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from app.simulator.state.gsm import Encoding
from app.simulator.state.progress import Step, status_at

_ID = re.compile(r"[0-9]{1,18}")


@dataclass(slots=True)
class OutgoingText:
    """One message to one number. Its parts have the ids from `first_id` on."""

    first_id: int
    username: str
    destination: str
    source: str
    body: str
    parts: int
    encoding: Encoding
    cost: Decimal
    taken_at: datetime
    due_at: datetime
    scheduled: bool
    validity_seconds: int
    steps: tuple[Step, ...]
    background_id: int | None = None
    cancelled_at: datetime | None = None
    gone: bool = False

    @property
    def ids(self) -> range:
        return range(self.first_id, self.first_id + self.parts)

    def status(self, instant: datetime) -> str | None:
        return status_at(self.steps, instant)

    def reached_at(self, word: str, instant: datetime) -> datetime | None:
        """When it first got a status, None if that is after the instant."""
        for step in self.steps:
            if step.status == word and step.at <= instant:
                return step.at
        return None

    def as_json(self, instant: datetime) -> dict[str, object]:
        history = [step for step in self.steps if step.at <= instant]
        return {
            "id": str(self.first_id),
            "ids": [str(one) for one in self.ids],
            "username": self.username,
            "to": self.destination,
            "source": self.source,
            "body": self.body,
            "parts": self.parts,
            "encoding": self.encoding,
            "cost": str(self.cost),
            "taken_at": self.taken_at.isoformat(),
            "schedule_at": self.due_at.isoformat() if self.scheduled else None,
            "validity_seconds": self.validity_seconds,
            "status": history[-1].status if history else None,
            "history": [{"at": step.at.isoformat(), "status": step.status} for step in history],
            "background_id": None if self.background_id is None else str(self.background_id),
            "cancelled_at": self.cancelled_at and self.cancelled_at.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class BackgroundSend:
    number: int
    username: str
    name: str
    started_at: datetime
    finished_at: datetime
    texts: tuple[OutgoingText, ...]


class Outgoing:
    def __init__(self, first_id: int) -> None:
        self.texts: list[OutgoingText] = []
        self.background: dict[int, BackgroundSend] = {}
        self._by_id: dict[int, OutgoingText] = {}
        self._per_day: Counter[tuple[str, str, str]] = Counter()
        self._next_id = first_id
        self._next_background = 61001

    def reserve(self, parts: int) -> int:
        first, self._next_id = self._next_id, self._next_id + parts
        return first

    def add(self, text: OutgoingText, day: str) -> None:
        self.texts.append(text)
        self._by_id.update(dict.fromkeys(text.ids, text))
        self._per_day[text.username, text.destination, day] += 1

    def sent_on(self, username: str, destination: str, day: str) -> int:
        return self._per_day[username, destination, day]

    def find(self, message_id: str, username: str, instant: datetime) -> OutgoingText | None:
        """An account's message by the id of any of its parts, if it exists by then."""
        if not _ID.fullmatch(message_id):
            return None
        text = self._by_id.get(int(message_id))
        if text is None or text.username != username or text.gone or text.taken_at > instant:
            return None
        return text

    def reserve_background(self, count: int) -> range:
        """Reserve ids for new background sends; the caller fills `background`."""
        first, self._next_background = self._next_background, self._next_background + count
        return range(first, first + count)

    def visible(self, names: frozenset[str], instant: datetime) -> Iterator[OutgoingText]:
        """The messages of some accounts that are there at an instant, oldest first.

        Safe to read slowly: what is taken meanwhile is not shown.
        """
        for index in range(len(self.texts)):
            text = self.texts[index]
            if text.username in names and not text.gone and text.taken_at <= instant:
                yield text
