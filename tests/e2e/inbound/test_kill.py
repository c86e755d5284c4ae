"""`kill -9` at any moment: what was acknowledged is there, once."""

import random
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import Scale
from tests.e2e.load import sending
from tests.e2e.stores import PostgresStore, Store, check_kept_once
from tests.support.service import find_free_port, running, wait_until


@pytest.mark.soak
def test_kills_under_load_lose_and_double_nothing(
    store: Store, tmp_path: Path, scale: Scale
) -> None:
    port = find_free_port()
    moments = random.Random()
    rounds = scale.pick(2, 60)
    with sending(port) as load:
        for _ in range(rounds):
            with running(tmp_path / "data", port=port, wait=False, database_url=store.url) as it:
                load.wait_for(1)
                time.sleep(moments.uniform(0, 0.7))
                it.kill()
        # Once more while it starts: what is being moved out of spools or migrated is in the middle.
        with running(tmp_path / "data", port=port, wait=False, database_url=store.url) as it:
            time.sleep(moments.uniform(0.5, 1.5))
            it.kill()
    with running(tmp_path / "data", port=port, database_url=store.url) as it:
        wait_until(lambda: it.count_spools() <= 1)
        check_kept_once(store, load.forwards)
    print(f"{rounds} kills, {load.count()} acknowledged, {load.count(0)} unanswered")
    assert load.count() >= rounds


@pytest.mark.soak
@pytest.mark.xdist_group("durable server")
def test_kills_under_load_while_the_database_is_away_lose_and_double_nothing(
    durable_store: PostgresStore, tmp_path: Path, scale: Scale
) -> None:
    data, port = tmp_path / "data", find_free_port()
    moments = random.Random()
    rounds = scale.pick(2, 20)
    durable_store.server.stop()
    with sending(port) as load:
        for number in range(1, rounds + 1):
            with running(data, port=port, database_url=durable_store.url) as it:
                load.wait_for(number * 20)
                time.sleep(moments.uniform(0, 0.3))
                it.kill()
    durable_store.server.start()
    with running(data, port=port, database_url=durable_store.url) as it:
        wait_until(lambda: it.count_spools() <= 1, what=it.log)
        check_kept_once(durable_store, load.forwards)
        assert not (data / "spool" / "damaged").exists()
    print(f"{rounds} kills, {load.count()} acknowledged, {load.count(0)} unanswered")
    assert load.count() >= rounds * 20
