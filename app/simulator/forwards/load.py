"""Load runs: texts at a steady rate, with counts of their results."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from app.simulator.state.config import Digits, NumberConfig
from app.simulator.state.incoming import IncomingText
from app.simulator.state.world import World


class LoadOrder(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    dest: Digits
    rate: Annotated[float, Field(gt=0, le=10_000)] = 10.0
    count: Annotated[int, Field(ge=1, le=1_000_000)] = 100
    senders: Annotated[int, Field(ge=1, le=1000)] = 50
    at_once: Annotated[int, Field(ge=1, le=64)] = 32
    body: str = "Load text {n}"


@dataclass(slots=True)
class LoadRun:
    """One run. If answers are slow it falls behind its rate, so that its queue is bounded."""

    order: LoadOrder
    came_in: int = 0
    accepted: int = 0
    refused: int = 0
    seconds: float = 0.0
    finished: bool = False

    def as_json(self) -> dict[str, object]:
        return asdict(self) | {
            "order": self.order.model_dump(),
            "seconds": round(self.seconds, 3),
        }

    async def go(
        self,
        world: World,
        number: NumberConfig,
        forward: Callable[[IncomingText], Awaitable[None]],
    ) -> None:
        slots = asyncio.Semaphore(self.order.at_once)
        started = perf_counter()
        try:
            async with asyncio.TaskGroup() as tasks:
                for index in range(self.order.count):
                    await asyncio.sleep(index / self.order.rate - (perf_counter() - started))
                    await slots.acquire()
                    texts = self._take_in(world, number, index)
                    tasks.create_task(self._forward_all(texts, forward, slots))
        finally:
            self.seconds = perf_counter() - started
            self.finished = True

    def _take_in(self, world: World, number: NumberConfig, index: int) -> list[IncomingText]:
        source = f"447700900{index % self.order.senders:03d}"
        self.came_in += 1
        return world.take_in(number, source, self.order.body.replace("{n}", str(index + 1)))

    async def _forward_all(
        self,
        texts: list[IncomingText],
        forward: Callable[[IncomingText], Awaitable[None]],
        slots: asyncio.Semaphore,
    ) -> None:
        try:
            for text in texts:
                await forward(text)
                if any(attempt.accepted for attempt in text.attempts):
                    self.accepted += 1
                else:
                    self.refused += 1
        finally:
            slots.release()
