"""What sending costs: the processor's time for a text, and how soon requests to many are out."""

import asyncio
import math
import time
from statistics import median
from zoneinfo import ZoneInfo

from app.domain.outbound.requests import OutgoingText
from app.provider.client import ProviderClient
from benchmarks import outbox
from benchmarks.servers.contenders import Running
from benchmarks.servers.provider import TOKEN, Provider

SINGLE = 1_000
ROUNDS = 3
SETTLE_SECONDS = 2.0
IDLE_SECONDS = 3.0
MILLISECOND = 0.001
MASS, CALL_NUMBERS, CALLS = 10_000, 100, 8


def time_singles(database_url: str, provider: Provider, running: Running) -> float:
    """Seconds that the server computes for each of many texts to one number each: the median of
    some rounds, since what it does besides is taken off and varies.
    """
    _send_singles(database_url, provider, 0)  # what is loaded and compiled once
    computed = []
    for turn in range(1, ROUNDS + 1):
        time.sleep(SETTLE_SECONDS)
        before = running.compute()
        time.sleep(IDLE_SECONDS)
        began, middle = time.monotonic(), running.compute()
        idle = (middle - before) / IDLE_SECONDS
        _send_singles(database_url, provider, turn * SINGLE)
        time.sleep(SETTLE_SECONDS)
        computed.append(running.compute() - middle - idle * (time.monotonic() - began))
    return median(computed) / SINGLE


def _send_singles(database_url: str, provider: Provider, sent: int) -> None:
    outbox.fill(database_url, SINGLE)
    provider.wait_for_sends(sent + SINGLE)


def time_mass(provider: Provider, allowed_seconds: float) -> float:
    """Seconds from the first number that the provider takes to the last."""
    # It is asked late, because a list of so many keeps it from taking more.
    time.sleep(allowed_seconds)
    deadline = time.monotonic() + 10 * allowed_seconds
    while len(takings := provider.list_takings()) < MASS:
        assert time.monotonic() < deadline, f"{len(takings)} of {MASS} texts came"
        time.sleep(1)
    return (takings[-1][1] - takings[0][1]).total_seconds()


def compute_allowed(per_second: float, concurrency: int, call_seconds: float) -> float:
    """Seconds that the pace or the calls allow for so many texts, whichever takes longer."""
    calls = math.ceil(MASS / CALL_NUMBERS / concurrency)
    return max(MASS / per_second, calls * call_seconds)


def time_mass_call(provider: Provider) -> float:
    """Seconds of a call to many numbers by the service's own client, alone."""
    return asyncio.run(_time_mass_call(provider))


async def _time_mass_call(provider: Provider) -> float:
    times = []
    text = OutgoingText("Shop", "We are closed on Monday")
    numbers = [f"447700900{each:03}" for each in range(CALL_NUMBERS)]
    url = f"http://127.0.0.1:{provider.port}/api"
    async with ProviderClient(TOKEN, url=url, zone=ZoneInfo("Europe/London")) as client:
        for _ in range(CALLS):
            began = time.perf_counter()
            await client.send_many(text, numbers)
            times.append(time.perf_counter() - began)
    return median(times)
