"""The interface, with the simulated provider behind it."""

from dataclasses import dataclass
from typing import Any

from app.domain.outbound.requests import OutgoingText
from tests.api.running import Running
from tests.support.simulated import OUR_NUMBER, Simulated

CSV = {"Content-Type": "text/csv"}
SPAN = {"from": "2026-06-01T00:00:00Z", "to": "2026-06-02T00:00:00Z"}
HELLO = OutgoingText(source=OUR_NUMBER, body="Hello")


@dataclass
class Both:
    """The application and the provider behind it."""

    api: Running
    provider: Simulated

    async def ask(self, method: str, path: str, status: int, **options: Any) -> Any:
        answer = await self.api.call(method, path, **options)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    async def import_csv(self, text: str, **parameters: str) -> list[tuple[int, str, str]]:
        shown = await self.ask(
            "POST", "/contacts", 200, content=text.encode(), headers=CSV, params=parameters
        )
        return [(each["line"], each["result"], each["detail"]) for each in shown["items"]]
