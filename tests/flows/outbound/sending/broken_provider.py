"""A provider that answers as a test likes, and texts for it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qs

import httpx2

from app.storage.operations.alerts import Alert, list_alerts
from tests.support.outbox import Outbox

Answer = Callable[[httpx2.Request], httpx2.Response]
TEXTS = 20


@dataclass
class Provider:
    """Answers `looks` to CheckCredits and `sends` to Send; None answers as the API does."""

    looks: Answer | None = None
    sends: Answer | None = None
    next_id: int = 5000
    counts: dict[str, int] = field(default_factory=dict)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        action = parse_qs(request.content.decode())["Action"][0]
        self.counts[action] = self.counts.get(action, 0) + 1
        special = {"CheckCredits": self.looks, "Send": self.sends}[action]
        if special is not None:
            return special(request)
        if action == "CheckCredits":
            return httpx2.Response(200, text="152.50")
        numbers = parse_qs(request.content.decode())["DestinationAddress"][0].split(",")
        self.next_id += len(numbers)
        return httpx2.Response(
            200, text=",".join(str(self.next_id - n) for n in range(len(numbers)))
        )

    def all(self, answer: Answer | None) -> None:
        self.looks = self.sends = answer


def say(status: int, text: str = "", **headers: str) -> Answer:
    return lambda _: httpx2.Response(status, text=text, headers=headers)


def fail(error: Exception) -> Answer:
    def answer(_: httpx2.Request) -> httpx2.Response:
        raise error

    return answer


async def queue_many(outbox: Outbox, count: int = TEXTS) -> None:
    for turn in range(count):
        await outbox.queue(f"4477009001{turn:02}")


async def count(outbox: Outbox) -> dict[str, int]:
    rows = await outbox.fetch("SELECT status, count(*) FROM outbound GROUP BY status")
    return {row[0]: row[1] for row in rows}


async def list_open(outbox: Outbox) -> list[Alert]:
    return await outbox.database.read(list_alerts, before=None, limit=50, is_open=True)


async def send_for(outbox: Outbox, provider: Provider, seconds: int, *, step: int = 1) -> None:
    for _ in range(0, seconds, step):
        await outbox.send_to(provider)
        outbox.pass_seconds(step)
