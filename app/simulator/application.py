"""Builds the simulated provider as one ASGI application: API, control interface and page."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import httpx2
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route

from app.simulator.clock import SimulatorClock
from app.simulator.config import SimulatorConfig
from app.simulator.control import Control, refuse_order
from app.simulator.endpoint import ApiEndpoint
from app.simulator.page import Page
from app.simulator.simulator import Simulator, UnknownNumberError


class SimulatorApp(Starlette):
    """The application, with the simulator it serves at hand."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
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
        yield
        await self.simulator.close()


def build_simulator(
    config: SimulatorConfig,
    clock: SimulatorClock,
    random: Random | None = None,
    transport: httpx2.AsyncBaseTransport | None = None,
) -> SimulatorApp:
    """A provider that begins as `config` says and lives by `clock`.

    `random` decides what happens by chance; left out, it is seeded from the configuration.
    `transport` carries the forwards; left out, they go over the network.
    """
    chance = Random(config.seed) if random is None else random  # noqa: S311 - play, no secrets
    return SimulatorApp(Simulator(config, clock, chance, transport))
