"""Builds the simulated provider as one ASGI application: API, control interface and page."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import httpx2
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route

from app.simulator.control import Control, refuse_order
from app.simulator.endpoint import ApiEndpoint
from app.simulator.forwards.chatter import keep_texting
from app.simulator.page import Page
from app.simulator.simulator import Simulator, UnknownNumberError
from app.simulator.state.clock import SimulatorClock
from app.simulator.state.config import SimulatorConfig


class SimulatorApp(Starlette):
    def __init__(self, simulator: Simulator, texting_seconds: float | None = None) -> None:
        self.simulator = simulator
        self._texting_seconds = texting_seconds
        endpoint = ApiEndpoint(simulator.find_world, simulator.pause)
        calls = [Route(path, endpoint, methods=["GET", "POST"]) for path in ("/api", "/api/")]
        super().__init__(
            routes=[*calls, *Page(simulator).routes(), *Control(simulator).routes()],
            exception_handlers={
                ValidationError: refuse_order,
                UnknownNumberError: refuse_order,
                HTTPException: refuse_order,
            },
            lifespan=self._live,
        )

    @asynccontextmanager
    async def _live(self, _app: Starlette) -> AsyncIterator[None]:
        chatter = asyncio.create_task(self._chat())
        yield
        chatter.cancel()
        await asyncio.wait([chatter])
        await self.simulator.close()

    async def _chat(self) -> None:
        incoming, books = self.simulator.world.incoming, self.simulator.world.books
        number = next(iter(incoming.numbers.values()), None)
        if self._texting_seconds is None or number is None or number.list is None:
            return
        found = books.lists.get((number.username, number.list))
        people = [
            (one.number, one.fields[-1]) for one in (found.entries if found else ()) if one.fields
        ]
        if people:
            await keep_texting(
                lambda source, body: self.simulator.receive_text(source, number.number, body),
                people,
                self._texting_seconds,
            )


def build_simulator(
    config: SimulatorConfig,
    clock: SimulatorClock,
    random: Random | None = None,
    transport: httpx2.AsyncBaseTransport | None = None,
    texting_seconds: float | None = None,
) -> SimulatorApp:
    """A provider that begins as `config` says and lives by `clock`.

    `random` decides what happens by chance; left out, it is seeded from the configuration.
    `transport` carries the forwards; left out, they go over the network. Where `texting_seconds`
    is given, the first number's list texts it so often for as long as the application lives.
    """
    chance = Random(config.seed) if random is None else random  # noqa: S311 - play, no secrets
    return SimulatorApp(Simulator(config, clock, chance, transport), texting_seconds)
