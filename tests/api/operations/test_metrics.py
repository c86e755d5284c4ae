"""/metrics: build, queues, and the figures of worker processes out of the database."""

import json
from datetime import timedelta

from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Connection, insert, update

from app import __version__
from app.domain.access.sealing import Sealer
from app.domain.operations.notify_addresses import Wishes
from app.flows.operations.notifications.manage_notify import add_address
from app.flows.operations.processes.metrics import Metrics
from app.flows.operations.processes.process_figures import pack_figures
from app.flows.webhooks.configure_webhooks import Rules, add_webhook
from app.storage.db.columns import metadata
from app.storage.operations.alerts import raise_alert
from app.storage.operations.events import add_event, read_event_bounds
from app.storage.operations.processes import (
    GONE_AFTER,
    Process,
    forget_processes,
    note_figures,
    note_process,
)
from app.storage.operations.queues import find_oldest
from app.storage.tables.webhooks import webhooks
from tests.api.running import Running
from tests.conftest import NOW
from tests.support.messages import make_message

ODD_HOST = 'work"er\\1\n'


async def read_values(api: Running) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample by name and labels, each of which may occur once."""
    text = (await api.client.get("/metrics")).text
    found: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    names = []
    for family in text_string_to_metric_families(text):
        names.append(family.name)
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, key
            found[key] = sample.value
    assert len(names) == len(set(names))
    return found


def find(
    values: dict[tuple[str, frozenset[tuple[str, str]]], float], name: str, **labels: str
) -> float | None:
    return values.get((name, frozenset(labels.items())))


async def note_worker(api: Running, process_id: str, metrics: Metrics) -> None:
    """A worker's heartbeat, as its housekeeping writes it."""
    now = api.clock.now
    process = Process(process_id, "work", ODD_HOST, 7, now, now, 0, runs_workers=True)
    figures = json.loads(json.dumps(pack_figures(metrics.registry)))
    await api.runtime.database.write(note_process, process)
    await api.runtime.database.write(note_figures, process_id, figures)


async def test_the_release_is_told(api: Running) -> None:
    [labels] = [each for name, each in await read_values(api) if name == "letterbox_build_info"]
    assert ("version", __version__) in labels


async def test_workers_figures_stand_beside_ours_and_vanish_with_them(api: Running) -> None:
    api.runtime.metrics.sends.labels("taken").inc(2)
    metrics = Metrics()
    metrics.sends.labels("taken").inc(5)
    metrics.sends.labels('od"d\n').inc()
    metrics.receive_seconds.observe(0.003)
    metrics.credits.set(99)
    await note_worker(api, "a", metrics)
    values = await read_values(api)
    worker = {"process": f"{ODD_HOST}:7"}
    name = "letterbox_sends_total"
    assert find(values, name, outcome="taken") == 2
    assert find(values, name, outcome="taken", **worker) == 5
    assert find(values, name, outcome='od"d\n', **worker) == 1
    assert find(values, "letterbox_receive_seconds_count", **worker) == 1
    # The database's own figures are the same everywhere.
    assert find(values, "letterbox_credits", **worker) is None
    # Killed and started again under the same name, before it counts as gone.
    api.clock.now += timedelta(seconds=5)
    restarted = Metrics()
    restarted.sends.labels("taken").inc()
    await note_worker(api, "0", restarted)
    assert find(await read_values(api), name, outcome="taken", **worker) == 1
    api.clock.now += GONE_AFTER
    assert find(await read_values(api), name, outcome="taken", **worker) is None
    await note_worker(api, "0", restarted)
    await api.runtime.database.write(forget_processes, ["0"])
    assert find(await read_values(api), name, outcome="taken", **worker) is None


async def test_a_workers_heartbeat_writes_what_it_counts(api: Running) -> None:
    housekeeper = api.runtime.housekeeper
    housekeeper.process = Process("w", "work", "worker-1", 1, NOW, NOW, 0, runs_workers=True)
    api.runtime.metrics.notifications.labels("sent").inc(3)
    await api.runtime.database.write(housekeeper._beat, api.clock.now)
    values = await read_values(api)
    name = "letterbox_notifications_total"
    assert find(values, name, outcome="sent", process="worker-1:1") == 3


async def test_the_oldest_item_of_each_queue_has_an_age(api: Running) -> None:
    await api.store(make_message(1), handled=False)
    api.clock.now += timedelta(seconds=90)
    oldest = await api.runtime.database.read(find_oldest)
    assert oldest["messages"] == NOW
    api.runtime.metrics.note_queues(oldest, api.clock.now)
    values = await read_values(api)
    name = "letterbox_queue_oldest_seconds"
    assert find(values, name, queue="messages") == 90
    assert find(values, name, queue="uncertain") == 0
    await api.handle()
    oldest = await api.runtime.database.read(find_oldest)
    assert oldest["messages"] is None


async def test_an_alert_that_nobody_was_told_of_waits(api: Running) -> None:
    database = api.runtime.database
    await raise_one(api, "before")
    answer = await database.read(find_oldest)
    assert answer["notifications"] is None  # there is no address
    await database.write(
        add_address, Sealer("x"), "ntfy://topic", "", Wishes(), who="test", now=NOW
    )
    assert (await database.read(find_oldest))["notifications"] is None
    await raise_one(api, "after")
    assert (await database.read(find_oldest))["notifications"] == NOW


async def test_a_delivery_that_an_endpoint_has_not_taken_waits(api: Running) -> None:
    database = api.runtime.database

    def add_row(conn: Connection, table: str, values: dict[str, object]) -> None:
        conn.execute(insert(metadata.tables[table]).values(values))

    endpoint = {"url": "https://example.com", "types": "", "numbers": [], "ordered": False}
    endpoint |= {"salt": b"", "secret_digest": b"", "position": 0, "revision": 0}
    delivery = {"event_id": 0, "type": "", "order_key": "", "body": "", "attempts": 1}
    delivery |= {"answer": "", "error": "", "created_at": NOW}
    for webhook_id, disabled_at, state, minutes in (
        (1, None, "waiting", 2),
        (2, NOW, "waiting", 9),
        (3, None, "delivered", 9),
    ):
        values = {"id": webhook_id, "created_at": NOW, "disabled_at": disabled_at}
        await database.write(add_row, "webhooks", endpoint | values)
        values = {"webhook_id": webhook_id, "message_id": "x", "state": state}
        values["happened_at"] = NOW - timedelta(minutes=minutes)
        await database.write(add_row, "webhook_deliveries", delivery | values)
    oldest = await database.read(find_oldest)
    assert oldest["webhooks"] == NOW - timedelta(minutes=2)


async def test_an_event_that_an_endpoint_has_not_been_told_of_waits(api: Running) -> None:
    database, rules = api.runtime.database, Rules((), "GB")
    added = [
        await add_webhook(
            database, "https://example.com/", rules=rules, master="x", who="test", now=NOW
        )
        for _ in range(2)
    ]
    assert (await database.read(find_oldest))["webhooks"] is None
    for minutes in (9, 5):
        await database.write(add_event, "message", 1, NOW - timedelta(minutes=minutes))

    def place(conn: Connection, webhook_id: int, position: int) -> None:
        conn.execute(update(webhooks).where(webhooks.c.id == webhook_id).values(position=position))

    _, newest = await database.read(read_event_bounds)
    await database.write(place, added[0].webhook.id, newest)
    await database.write(place, added[1].webhook.id, newest - 1)
    assert (await database.read(find_oldest))["webhooks"] == NOW - timedelta(minutes=5)


async def raise_one(api: Running, subject: str) -> None:
    await api.runtime.database.write(
        raise_alert, "disk-full", subject, text="Full.", action="Free it.", now=NOW
    )
