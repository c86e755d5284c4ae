"""`kill -9` while texts go out through a provider that fails: each goes out once."""

import random
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Scale
from tests.e2e.sendings import Sendings, describe, providing
from tests.e2e.stores import PostgresStore, Store
from tests.support.service import Service, find_free_port, running, wait_until

SHARE_OF_FAULTS = 0.3


@pytest.mark.soak
def test_kills_while_texts_go_out_double_and_lose_none(
    store: Store, tmp_path: Path, scale: Scale
) -> None:
    folder, port, moments = tmp_path / "data", find_free_port(), random.Random()
    kills = scale.pick(2, 25)
    with providing() as provider:
        sendings = Sendings(store, provider)
        settings: dict[str, Any] = {
            "database_url": store.url,
            "send_per_second": scale.pick(200, 50),
            **provider.settings,
        }
        with running(folder, port=port, **settings) as service:
            service.call("/sender", method="POST", body={"state": "paused"})
            sendings.queue(service, scale.pick(40, 900), numbers=scale.pick(20, 300))
            sendings.ask_for_answers(service, scale.pick(5, 100))
            provider.misbehave(SHARE_OF_FAULTS)
            service.call("/sender", method="POST", body={"state": "running"})
            time.sleep(moments.uniform(0, 0.3))
            service.kill()
        for _ in range(kills - 1):
            sendings.end_leases()
            with running(folder, port=port, **settings) as service:
                sendings.resume(service)
                store.hurry()
                time.sleep(moments.uniform(0, scale.pick(1, 2)))
                service.kill()
        sendings.end_leases()
        provider.misbehave(scale.pick(0, 1) * SHARE_OF_FAULTS)
        with running(folder, port=port, **settings) as service:
            sendings.settle_all(service, seconds=scale.pick(40, 900))
            assert "Traceback" not in service.read_log()
        sendings.check_each_went_out_once()
        print(describe(sendings, kills))


@pytest.mark.soak
def test_kills_among_three_workers_double_and_lose_none(
    durable_store: PostgresStore, tmp_path: Path, scale: Scale
) -> None:
    moments = random.Random()
    kills = scale.pick(3, 30)
    with providing() as provider, ExitStack() as stack:
        sendings = Sendings(durable_store, provider)
        settings: dict[str, Any] = {
            "database_url": durable_store.url,
            "send_per_second": scale.pick(200, 50),
            **provider.settings,
        }

        def start(place: int) -> Service:
            folder = tmp_path / f"work{place}"
            return stack.enter_context(running(folder, "work", wait=False, **settings))

        web = stack.enter_context(running(tmp_path / "web", run_workers="false", **settings))
        web.call("/sender", method="POST", body={"state": "paused"})
        sendings.queue(web, scale.pick(40, 900), numbers=scale.pick(20, 300))
        sendings.ask_for_answers(web, scale.pick(5, 100))
        provider.misbehave(SHARE_OF_FAULTS)
        workers = [start(place) for place in range(3)]
        wait_until(lambda: all("working" in each.read_log() for each in workers))
        web.call("/sender", method="POST", body={"state": "running"})
        for _ in range(kills):
            time.sleep(moments.uniform(0, scale.pick(1, 2)))
            place = moments.randrange(3)
            durable_store.hurry()
            sendings.resume(web)
            workers[place].kill()
            workers[place] = start(place)
        for worker in workers:
            worker.kill()
        sendings.end_leases()
        provider.misbehave(scale.pick(0, 1) * SHARE_OF_FAULTS)
        workers = [start(place) for place in range(3)]
        sendings.settle_all(web, seconds=scale.pick(40, 900))
        sendings.check_each_went_out_once()
        print(describe(sendings, kills + 3))
        for worker in workers:
            assert worker.stop() == 0
            assert "Traceback" not in worker.read_log()
