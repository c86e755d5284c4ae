"""Refused forwards: what is kept of them, what floods cannot do, and when they are an alert."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest

from app.flows.access.configure import add_number, remove_number
from app.flows.inbound.refused_forwards import MANY, MAX_VOUCHED, ROOM, RefusalLog
from app.flows.operations.alarms.raise_alarms import raise_alarms
from app.storage.db.database import Connection, Database
from app.storage.inbound.refusals import KEPT_ROWS, NewRefusal, add_refusals, forget_old_refusals
from app.storage.operations.alerts import (
    Alert,
    close_alert,
    forget_old_alerts,
    list_alerts,
    raise_alert,
)
from tests.api.running import AUTH, Running, running
from tests.conftest import NOW
from tests.support.fixtures import on_either
from tests.support.kit import Kit
from tests.support.service import NUMBER, make_forward

OTHER = "447700900789"
STRANGER = "192.0.2.66"


class Flood:
    """A log of refusals whose clock a test moves."""

    def __init__(self) -> None:
        self.log = RefusalLog(lambda number: number == NUMBER)
        self.now = NOW

    def add(self, address: str, dest: str = OTHER, reason: str = "wrong-auth") -> None:
        self.log.add(address, dest, reason, self.now)

    def take(self) -> Mapping[tuple[str, str], int]:
        return {(each.address, each.dest): each.count for each in self.log.take(self.now)}


def test_alike_refusals_are_one_row_each_time() -> None:
    flood = Flood()
    for _ in range(3):
        flood.add(STRANGER)
    assert flood.take() == {(STRANGER, OTHER): 3}
    assert flood.take() == {}
    flood.add(STRANGER)
    assert flood.take() == {(STRANGER, OTHER): 1}


def test_a_flood_for_a_day_leaves_the_rows_of_that_day() -> None:
    flood = Flood()
    rows = counted = 0
    for second in range(24 * 3600):
        flood.now = NOW + timedelta(seconds=second)
        flood.add(f"address {second}", dest=f"number {second}")
        flood.add(STRANGER)
        taken = flood.take()
        rows += len(taken)
        counted += sum(taken.values())
    flood.now += timedelta(minutes=10)
    counted += sum(flood.take().values())
    assert counted == 2 * 24 * 3600
    assert rows < KEPT_ROWS / 2


def test_a_flood_of_others_hides_no_refusal_of_our_number() -> None:
    flood = Flood()
    for number in range(2 * ROOM):
        flood.add(f"address {number}")
    flood.add("198.51.100.7", dest=NUMBER)
    flood.log.vouch_for("447700900111")
    flood.add("198.51.100.8", dest="447700900111")
    taken = flood.take()
    assert taken["198.51.100.7", NUMBER] == taken["198.51.100.8", "447700900111"] == 1
    assert taken[MANY, ""] == ROOM


def test_a_flood_against_our_number_still_names_it() -> None:
    flood = Flood()
    for number in range(2 * ROOM):
        flood.add(f"address {number}", dest=NUMBER)
    assert flood.take()[MANY, NUMBER] == ROOM


def test_what_could_not_be_written_is_written_the_next_time() -> None:
    flood = Flood()
    for number in range(ROOM + 5):
        flood.add(f"address {number}")
    flood.log.put_back(flood.log.take(flood.now))
    flood.add("address 0")
    taken = flood.take()
    assert (taken["address 0", OTHER], taken[MANY, ""]) == (2, 5)


@pytest.mark.parametrize("text", ["x" * 60_003, "\0", "\ud800", "\U0001f600" * 1000])
async def test_whatever_a_caller_writes_is_kept_shortly(database: Database, text: str) -> None:
    log = RefusalLog(lambda _: False)
    log.add(text, text, "wrong-auth", NOW)
    [refusal] = log.take(NOW)
    assert len(refusal.address) <= 64
    assert len(refusal.dest) <= 64
    await database.write(add_refusals, [refusal])


async def configure(kit: Kit) -> None:
    database, now = kit.runtime.database, kit.runtime.now()
    await add_number(database, NUMBER, region="GB", who="cli:test", now=now)


async def list_open(database: Database) -> list[Alert]:
    return await database.read(list_alerts, before=None, limit=9, is_open=True)


async def look(kit: Kit) -> list[Alert]:
    await kit.runtime.housekeeper.write_deferred()
    return await list_open(kit.runtime.database)


@pytest.mark.parametrize(
    ("auth", "told"), [("wrong-one", "auth value is wrong"), ("", "has no auth value")]
)
async def test_a_wrong_auth_for_a_number_of_ours_is_an_alert(
    kit: Kit, auth: str, told: str
) -> None:
    await configure(kit)
    assert (await kit.forward("1")).status_code == 200
    await kit.handle()
    for _ in range(2):
        assert (await kit.forward("2", auth=auth)).status_code == 403
    assert (await kit.forward("3", dest=OTHER, auth=auth)).status_code == 403
    [alert] = await look(kit)
    assert (alert.kind, alert.subject, alert.count) == ("forward-refused", NUMBER, 2)
    assert told in alert.text
    assert "auth value into the provider's page" in alert.action
    assert "letterbox reconcile" in alert.action


@pytest.mark.parametrize("configured", [True, False])
async def test_before_the_first_text_any_wrong_auth_for_a_number_is_an_alert(
    kit: Kit, configured: bool
) -> None:
    if configured:
        await configure(kit)
    assert (await kit.forward("1", dest=OTHER, auth="wrong-one")).status_code == 403
    [alert] = await look(kit)
    assert (alert.kind, alert.subject) == ("forward-refused", "first-forward")
    assert OTHER in alert.text


@pytest.mark.parametrize("way", ["query", "path", "form", "json", "multipart", "xml"])
@pytest.mark.parametrize("text", ["Hello", "\U0001f600" * 500])
async def test_a_forward_to_another_path_is_an_alert(kit: Kit, way: str, text: str) -> None:
    await configure(kit)
    form = make_forward("1", msg=text)
    fields = dict(parse_qsl(form))
    if way == "query":
        answer = await kit.client.get(f"/?{form}")
    elif way == "path":
        answer = await kit.client.get(f"/sms&{form}")
    elif way == "form":
        typed = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = await kit.client.post("/sms", content=form, headers=typed)
    elif way == "json":
        answer = await kit.client.post("/api/v1/inbound", json=fields)
    elif way == "multipart":
        parts = {name: (None, value) for name, value in fields.items()}
        answer = await kit.client.post("/sms", files=parts)
    else:
        xml = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items())
        answer = await kit.client.post("/sms", content=f"<sms>{xml}</sms>")
    assert (answer.status_code, "forwards go to /inbound" in answer.text) == (404, True)
    [alert] = await look(kit)
    assert (alert.kind, alert.subject) == ("forward-refused", NUMBER)
    assert "its URL does not end in /inbound" in alert.text
    assert "Correct the URL in the provider's page" in alert.action
    [refusal] = (await kit.get("/refusals"))["items"]
    assert (refusal["reason"], refusal["dest"]) == ("wrong-path", NUMBER)


@pytest.mark.parametrize("way", ["query", "path", "colon", "form", "method", "json", "multipart"])
async def test_a_right_auth_says_that_a_number_is_ours(kit: Kit, way: str) -> None:
    """Though it is not configured, and texts to another number come as they should."""
    await configure(kit)
    await kit.forward("1")
    await kit.handle()
    form = make_forward("2", dest=OTHER)
    fields = dict(parse_qsl(form))
    if way in ("query", "path", "colon"):
        mark = {"query": "?", "path": "&", "colon": ":"}[way]
        await kit.client.get(f"/sms{mark}{form}")
    elif way == "method":
        await kit.client.put(f"/inbound?{form}")
    elif way == "form":
        typed = {"Content-Type": "application/x-www-form-urlencoded"}
        await kit.client.post("/sms", content=form, headers=typed)
    elif way == "json":
        await kit.client.post("/sms", json=fields)
    else:
        await kit.client.post("/sms", files={name: (None, each) for name, each in fields.items()})
    [alert] = await look(kit)
    assert (alert.kind, alert.subject) == ("forward-refused", OTHER)
    later = alert.updated_at + timedelta(minutes=30)
    await raise_alarms(kit.runtime.database, timezone="Europe/London", now=later)
    assert await look(kit) == [alert], "nothing came to it yet"
    await kit.forward("3", dest=OTHER)
    await kit.handle()
    await raise_alarms(kit.runtime.database, timezone="Europe/London", now=later)
    assert await look(kit) == []


def test_whoever_has_an_auth_value_cannot_have_a_row_for_every_number() -> None:
    flood = Flood()
    for number in range(5_000):
        flood.log.vouch_for(str(number))
        flood.add("address", dest=str(number))
    assert len(flood.take()) <= MAX_VOUCHED + ROOM + 1


@pytest.mark.parametrize("auth", ["wrong-one", "x" * 60_000])
async def test_a_wrong_auth_at_a_wrong_path_says_nothing(kit: Kit, auth: str) -> None:
    await kit.forward("1")
    await kit.handle()
    await kit.client.get(f"/sms?{make_forward('2', dest=OTHER, auth=auth)}")
    assert await look(kit) == []


async def test_strangers_who_look_around_are_no_alert(kit: Kit) -> None:
    for query in ("", "?a=b", "?dest=x'--", "?dest=\u0663\u0663"):
        assert (await kit.client.get(f"/inbound{query}")).status_code == 403
    assert await look(kit) == []
    await kit.forward("1")
    await kit.handle()
    assert (await kit.forward("2", dest=OTHER, auth="wrong-one")).status_code == 403
    assert await look(kit) == []


async def test_however_many_numbers_a_stranger_names_it_is_one_alert(kit: Kit) -> None:
    answers = [
        await kit.forward(dest=f"4477009009{number:02}", auth="wrong-one") for number in range(60)
    ]
    # On a busy machine a look-up may come too late: that one is no refusal.
    late = sum(answer.status_code == 503 for answer in answers)
    [alert] = await look(kit)
    assert ROOM - late <= alert.count <= 60, "room is gained again while they come"


api = on_either(running)


async def test_a_right_forward_ends_the_alert(api: Running) -> None:
    runtime, clock = api.runtime, api.clock
    await api.send("POST", "/numbers", {"number": NUMBER})

    async def forward(number: str, auth: str = AUTH) -> None:
        await api.client.get(f"/inbound?{make_forward(number, auth=auth)}")
        await runtime.housekeeper.write_deferred()
        await api.handle()

    async def count(**later: float) -> int:
        clock.now += timedelta(**later)
        await raise_alarms(runtime.database, timezone="Europe/London", now=clock.now)
        return len(await list_open(runtime.database))

    await forward("1", auth="wrong-one")
    assert await count(minutes=9) == 1
    assert await count(minutes=60) == 1, "nothing right has come"
    await forward("2")
    assert await count() == 0
    await forward("3", auth="wrong-one")
    clock.now += timedelta(minutes=2)
    await forward("4")
    assert await count(minutes=7) == 1, "whoever it is may still be at it"
    assert await count(minutes=2) == 0
    await forward("5", auth="wrong-one")
    await remove_number(runtime.database, NUMBER, who="cli:test", now=clock.now)
    assert await count(minutes=11) == 0


async def test_many_alerts_that_are_over_end_in_steps(database: Database) -> None:
    def fill(conn: Connection) -> None:
        for number in range(250):
            raise_alert(conn, "too-large", f"address {number}", text="t", action="a", now=NOW)

    await database.write(fill)
    sizes = []
    write = database.write

    async def note_write(fn: Any, *args: Any) -> Any:
        sizes.append(len(args[0]))
        return await write(fn, *args)

    later = NOW + timedelta(days=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "write", note_write)
        while await raise_alarms(database, timezone="Europe/London", now=later):
            pass
    assert sizes == [100, 100, 50]
    assert await list_open(database) == []


async def test_old_alerts_and_refusals_are_forgotten(database: Database) -> None:
    def fill(conn: Connection) -> None:
        raise_alert(conn, "too-large", "/inbound", text="t", action="a", now=NOW)
        raise_alert(conn, "uncertain", "1", text="t", action="a", now=NOW)
        close_alert(conn, "too-large", "/inbound", now=NOW)
        add_refusals(conn, [NewRefusal(NOW, STRANGER, NUMBER, "wrong-auth", 1)])

    await database.write(fill)
    for days, gone in [(89, 0), (91, 1), (92, 0)]:
        now = NOW + timedelta(days=days)
        assert await database.write(forget_old_alerts, now, limit=9) == gone
        assert await database.write(forget_old_refusals, now, limit=9) == gone
    [alert] = await list_open(database)
    assert alert.kind == "uncertain", "what is open is kept"
