"""The simulated provider as one object: its world, its forwards, its load runs."""

import asyncio
from random import Random

import httpx2

from app.simulator.forwards.forwarder import Forwarder
from app.simulator.forwards.load import LoadOrder, LoadRun
from app.simulator.state.clock import SimulatorClock
from app.simulator.state.config import SimulatorConfig
from app.simulator.state.incoming import IncomingText
from app.simulator.state.world import World


class UnknownNumberError(Exception):
    """A text to a number that the provider does not have."""


class Simulator:
    """What a test uses: `world` to inspect and change, and the few things that take time.

    Everything happens in the event loop that serves it; from another thread use the control
    interface.
    """

    def __init__(
        self,
        config: SimulatorConfig,
        clock: SimulatorClock,
        random: Random,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self.clock = clock
        self.load: LoadRun | None = None
        self._config = config
        self._random = random
        self._first_chance = random.getstate()
        self._transport = transport
        self._load_task: asyncio.Task[None] | None = None
        self._released = asyncio.Event()
        self.world = World(config, clock, random)
        self.forwarder = Forwarder(self.find_world, transport)

    def find_world(self) -> World:
        return self.world

    async def pause(self, seconds: float) -> None:
        """Wait real seconds for a fault, unless the simulator releases its calls."""
        try:
            async with asyncio.timeout(seconds):
                await self._released.wait()
        except TimeoutError:
            return

    def release(self) -> None:
        """Release every call that a fault holds."""
        self._released.set()
        self._released = asyncio.Event()

    async def reset(self) -> None:
        await self.close()
        self._random.setstate(self._first_chance)
        self.world = World(self._config, self.clock, self._random)
        self.load = None

    async def close(self) -> None:
        self.release()
        await self.stop_load()
        await self.forwarder.close()

    async def receive_text(
        self, source: str, dest: str, body: str, wait_seconds: float | None = None
    ) -> list[IncomingText]:
        """Let somebody text a virtual number, and forward it.

        Waits for the forward at most `wait_seconds`; None waits until it is over, 0 not at all.
        Raises UnknownNumberError.
        """
        number = self.world.incoming.numbers.get(dest)
        if number is None:
            raise UnknownNumberError(dest)
        texts = self.world.take_in(number, source, body)
        await asyncio.wait(self.forwarder.start(texts), timeout=wait_seconds)
        return texts

    async def start_load(self, order: LoadOrder) -> LoadRun:
        number = self.world.incoming.numbers.get(order.dest)
        if number is None:
            raise UnknownNumberError(order.dest)
        await self.stop_load()
        self.load = LoadRun(order)
        going = self.load.go(self.world, number, self.forwarder.forward)
        self._load_task = asyncio.create_task(going)
        return self.load

    async def stop_load(self) -> None:
        if self._load_task is not None:
            self._load_task.cancel()
            await asyncio.wait([self._load_task])
            # A run that is cancelled before its first step cannot say so itself.
            if self.load is not None:
                self.load.finished = True
            self._load_task = None
