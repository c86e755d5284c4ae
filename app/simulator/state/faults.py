"""Faults on demand: which call goes wrong, how, and whether it takes effect first."""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

FaultKind = Literal["slow", "silence", "reset", "cut", "status", "html", "empty", "code"]


class Fault(BaseModel):
    """One way for calls to go wrong, and which calls.

    `taken` says whether the call has its effect before it goes wrong: a reset after the message
    was taken is another thing than one before. For `slow` it says on which side of the wait the
    effect lies; the call always has it. Waits are real seconds.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: FaultKind
    taken: bool = True
    action: str | None = Field(
        default=None, description="only this action, in any case; null: every one"
    )
    destination: str | None = Field(default=None, description="only sends that name this number")
    times: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="how often; null: always"
    )
    skip: Annotated[int, Field(ge=0)] = Field(
        default=0, description="fitting calls let through first"
    )
    probability: Annotated[float, Field(ge=0, le=1)] = 1.0
    seconds: Annotated[float, Field(ge=0, le=3600)] = Field(
        default=5.0,
        description="how long slow waits, and silence lasts before the connection breaks",
    )
    status: Annotated[int, Field(ge=200, le=599)] = Field(
        default=500, description="status and html answer"
    )
    code: Annotated[int, Field(lt=0)] = Field(default=-300, description="what a code fault answers")

    def fits(self, parameters: Mapping[str, str]) -> bool:
        action = parameters.get("Action", "")
        if self.action is not None and self.action.casefold() != action.casefold():
            return False
        if self.destination is None:
            return True
        named = parameters.get("DestinationAddress", "").split(",")
        return self.destination in [number.strip() for number in named]


@dataclass(slots=True)
class PlannedFault:
    fault: Fault
    fitted: int = 0
    struck: int = 0

    @property
    def spent(self) -> bool:
        return self.fault.times is not None and self.struck >= self.fault.times

    def as_json(self) -> dict[str, object]:
        counts = {"fitted": self.fitted, "struck": self.struck, "spent": self.spent}
        return self.fault.model_dump() | counts


class FaultPlan:
    """The configured and ordered faults, tried in order for every call."""

    def __init__(self, random: Random, faults: tuple[Fault, ...] = ()) -> None:
        self._random = random
        self.planned = [PlannedFault(fault) for fault in faults]

    def add(self, fault: Fault) -> None:
        self.planned.append(PlannedFault(fault))

    def clear(self) -> None:
        self.planned.clear()

    def choose(self, parameters: Mapping[str, str]) -> Fault | None:
        """The first fault that applies to this call; counts it."""
        for planned in self.planned:
            if planned.spent or not planned.fault.fits(parameters):
                continue
            planned.fitted += 1
            if planned.fitted <= planned.fault.skip:
                continue
            if self._random.random() < planned.fault.probability:
                planned.struck += 1
                return planned.fault
        return None
