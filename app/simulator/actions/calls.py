"""One call to the provider's API, as its actions see it, and what they answer."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias
from zoneinfo import ZoneInfo

from app.simulator.actions.codes import RefusedError
from app.simulator.state.accounts import Account
from app.simulator.state.switches import Switches
from app.simulator.state.world import World

_STAMP = "%Y%m%d%H%M%S"
_STAMP_LENGTH = 14


def shows_errors(parameters: Mapping[str, str], switches: Switches) -> bool:
    value = parameters.get("ShowErrorMessage")
    return value is not None and not (switches.zero_unsets_messages and value.strip() == "0")


@dataclass(frozen=True, slots=True)
class Answer:
    """The content of the answer: a text, or the rows of a report as they are made."""

    text: str | None = None
    rows: Iterator[str] | None = None
    status: int = 200
    one_line: bool = True


@dataclass(frozen=True, slots=True)
class Call:
    world: World
    account: Account
    parameters: Mapping[str, str]
    now: datetime

    @property
    def switches(self) -> Switches:
        return self.world.switches

    def text(self, name: str) -> str:
        return self.parameters.get(name, "")

    def required(self, name: str) -> str:
        """A parameter that must not be missing or blank; raises RefusedError -507."""
        value = self.text(name).strip()
        if not value:
            raise RefusedError(-507)
        return value

    def is_set(self, name: str) -> bool:
        return self.text(name).strip() == "1"

    def shows_errors(self) -> bool:
        return shows_errors(self.parameters, self.switches)

    def instant(self, name: str, code: int, fold: int = 0) -> datetime:
        """A YYYYMMDDHHMMSS parameter as an instant; raises RefusedError with the code.

        `fold` picks the first (0) or second (1) of the hour that autumn repeats.
        """
        value = self.text(name).strip()
        zone = ZoneInfo(self.switches.request_zone)
        if len(value) != _STAMP_LENGTH or not value.isascii() or not value.isdecimal():
            raise RefusedError(code)
        try:
            local = datetime.strptime(value, _STAMP).replace(tzinfo=zone, fold=fold)
        except ValueError as error:
            raise RefusedError(code) from error
        return local.astimezone(UTC)


Action: TypeAlias = Callable[[Call], Answer]
