"""Forwards inbound texts to their owners' URLs, as well or as badly as the switches say."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import timedelta
from time import perf_counter

import httpx2

from app.simulator.forwards.forwards import build_request, list_parameters
from app.simulator.state.config import ListEntry, NumberConfig
from app.simulator.state.incoming import ForwardAttempt, IncomingText
from app.simulator.state.switches import Wanted
from app.simulator.state.world import World

_AT_ONCE = 64


class Forwarder:
    """The outgoing half of the simulator.

    `transport` lets tests forward into an ASGI application instead of over sockets.
    """

    def __init__(
        self, find_world: Callable[[], World], transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        self._find_world = find_world
        self._transport = transport
        self._client: httpx2.AsyncClient | None = None
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._overtaken = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, texts: Iterable[IncomingText]) -> list[asyncio.Task[None]]:
        """Start forwarding texts; the tasks are for callers that want to wait."""
        tasks = [asyncio.create_task(self.forward(text)) for text in texts]
        for task in tasks:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return tasks

    async def settle(self) -> None:
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def forward(self, text: IncomingText) -> None:
        """Forward one text: lost, delayed, doubled or retried, as the switches say."""
        world = self._find_world()
        number = world.incoming.numbers.get(text.dest)
        if number is None or number.url is None:
            return
        switches, random = world.switches, world.random
        if random.random() < switches.forward_loss_share:
            return
        copies = switches.forward_copies + (random.random() < switches.forward_twice_share)
        if random.random() < switches.forward_reorder_share:
            await self._hold_back(switches.forward_reorder_seconds)
        if switches.forward_copies_at_once:
            await asyncio.gather(*(self._deliver(world, number, text) for _ in range(copies)))
        else:
            for _ in range(copies):
                await self._deliver(world, number, text)
        self._overtaken.set()

    async def _hold_back(self, seconds: float) -> None:
        self._overtaken.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._overtaken.wait()
        except TimeoutError:
            return

    async def _deliver(self, world: World, number: NumberConfig, text: IncomingText) -> None:
        for turn in range(world.switches.forward_retries + 1):
            if turn:
                pause = timedelta(seconds=world.switches.forward_retry_seconds)
                await world.clock.wait_until(world.clock.now() + pause)
            attempt = await self._attempt(world, number, text)
            text.attempts.append(attempt)
            if attempt.accepted:
                return

    async def _attempt(
        self, world: World, number: NumberConfig, text: IncomingText
    ) -> ForwardAttempt:
        entries = _find_entries(world, number)
        parameters = list_parameters(text, number, entries, world.switches)
        attempt = ForwardAttempt(world.clock.now())
        async with self._slots:
            started = perf_counter()
            try:
                request = build_request(number.url or "", number.method, parameters, world.switches)
                async with asyncio.timeout(world.switches.forward_timeout_seconds):
                    response = await self._open_client().send(request)
                attempt.answer = response.status_code
                attempt.accepted = _is_accepted(response, world.switches.forward_wants)
            except TimeoutError:
                attempt.error = "no answer in time"
            except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                attempt.error = f"{type(error).__name__}: {error}"
            attempt.seconds = perf_counter() - started
        return attempt

    def _open_client(self) -> httpx2.AsyncClient:
        if self._client is None:
            limits = httpx2.Limits(max_connections=_AT_ONCE, max_keepalive_connections=_AT_ONCE)
            self._client = httpx2.AsyncClient(
                transport=self._transport, limits=limits, timeout=None, trust_env=False
            )
        return self._client


def _is_accepted(response: httpx2.Response, wanted: Wanted) -> bool:
    if wanted == "2xx":
        return response.is_success
    is_ok = response.status_code == httpx2.codes.OK
    return is_ok and (wanted == "200" or response.text.strip().upper() == "OK")


def _find_entries(world: World, number: NumberConfig) -> tuple[ListEntry, ...] | None:
    if number.list is None:
        return None
    found = world.books.lists.get((number.username, number.list))
    return () if found is None else found.entries
