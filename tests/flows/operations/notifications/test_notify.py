"""Notifications on both databases, sent by Apprise over sockets to a server of ours."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from apprise import Apprise
from structlog.testing import capture_logs

from app.domain.access.sealing import Sealer
from app.domain.errors import Conflict
from app.domain.operations.notices import Notice
from app.domain.operations.notify_addresses import Wishes
from app.flows.inbound.handle import handle_batch
from app.flows.operations.notifications import manage_notify
from app.flows.operations.notifications.deliver_notice import Deliverer, load_apprise
from app.flows.operations.notifications.notify import FAILING, Notifier
from app.flows.operations.processes.metrics import Metrics
from app.storage.access.audit import list_audit
from app.storage.conversations.conversations import change_conversations
from app.storage.db.database import Database
from app.storage.inbound.inbound import make_inserter
from app.storage.operations.alerts import close_alert, list_open_alerts, raise_alert
from app.storage.operations.notify_addresses import NotifyAddress, get_address, list_addresses
from tests.support.clock import NOW
from tests.support.endpoints.notify_target import SECRET, NotifyTarget, serving_target
from tests.support.messages import make_message

BASE = "https://texts.example.com"
WHO = "session:Ada"
SEALER = Sealer("a-master-of-the-tests")


@dataclass
class Bench:
    """A notifier, a target, and a clock that stands still until a test moves it."""

    database: Database
    target: NotifyTarget
    now: datetime = NOW
    messages: int = 0
    notifiers: list[Notifier] = field(default_factory=list)

    def make_notifier(self, *configured: str, deliver: Any = None, seconds: float = 5) -> Notifier:
        made = Notifier(
            self.database,
            SEALER,
            configured,
            BASE,
            deliver or Deliverer(seconds).deliver,
            Metrics(),
            on_change=lambda: None,
            now=lambda: self.now,
        )
        self.notifiers.append(made)
        return made

    async def add(self, name: str, **wishes: Any) -> NotifyAddress:
        return await self.database.write(
            manage_notify.add_address,
            SEALER,
            self.target.address(name),
            "",
            Wishes(**wishes),
            who=WHO,
            now=self.now,
            is_tested=False,
        )

    async def open_alert(self, subject: str, kind: str = "disk-full") -> None:
        await self.database.write(
            raise_alert, kind, subject, text=f"{subject} is full.", action="Free it.", now=self.now
        )

    async def close_alert(self, subject: str, kind: str = "disk-full") -> None:
        await self.database.write(close_alert, kind, subject, now=self.now)

    async def receive(self, **changes: Any) -> None:
        self.messages += 1
        inserter = make_inserter(self.database)
        changes = {"arrived_at": self.now, **changes}
        await inserter.insert([make_message(self.messages, **changes)], self.now)
        inserter.abandon()
        while await self.database.write(handle_batch, self.now):
            pass

    async def run(self, notifier: Notifier | None = None) -> None:
        """One turn of a process, and whatever it began."""
        notifier = notifier or (self.notifiers[-1] if self.notifiers else self.make_notifier())
        await notifier.turn()
        await notifier.settle()

    def wait(self, **time: float) -> None:
        self.now += timedelta(**time)

    async def list_failing(self) -> list[str]:
        return [each.subject for each in await self.database.read(list_open_alerts, FAILING)]

    async def read(self, address: NotifyAddress) -> NotifyAddress:
        return await self.database.read(get_address, address.id)


@pytest.fixture
async def bench(database: Database) -> AsyncIterator[Bench]:
    async with serving_target() as target:
        made = Bench(database, target)
        yield made
        for notifier in made.notifiers:
            await notifier.end()


async def test_an_alert_is_told_when_it_opens_and_when_it_is_over(bench: Bench) -> None:
    await bench.open_alert("before")  # nothing of the past is told
    await bench.add("desk")
    await bench.run()
    assert bench.target.taken == {}
    await bench.open_alert("web-1")
    await bench.run()
    assert bench.target.titles("desk") == ["Letterbox: critical alert disk-full"]
    assert bench.target.taken["desk"][0]["type"] == "failure"
    told = bench.target.last("desk")
    assert "CRITICAL: web-1 is full.\nFree it." in told
    assert f"{BASE}/alerts/help#disk-full" in told
    bench.wait(minutes=6)
    await bench.close_alert("web-1")
    await bench.run()
    assert bench.target.titles("desk")[1:] == ["Letterbox: disk-full is over"]
    assert bench.target.taken["desk"][1]["type"] == "success"
    await bench.run()
    assert len(bench.target.taken["desk"]) == 2


async def test_what_follows_within_five_minutes_comes_in_one_digest(bench: Bench) -> None:
    await bench.add("desk")
    await bench.open_alert("web-1")
    await bench.run()
    for number in range(2, 32):
        await bench.open_alert(f"web-{number}")
        await bench.run()
    await bench.close_alert("web-1")
    bench.wait(seconds=299)
    await bench.run()
    assert len(bench.target.taken["desk"]) == 1
    bench.wait(seconds=1)
    await bench.run()
    [_, digest] = bench.target.taken["desk"]
    assert digest["title"] == "Letterbox: 30 alerts, critical first, disk-full is over"
    assert "… and 10 more." in digest["message"]


async def test_services_that_show_html_get_it_escaped_and_long_ones_are_cut(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_apprise()
    plugin = type(Apprise.instantiate("json://localhost"))
    monkeypatch.setattr(plugin, "body_maxlen", 300)
    await bench.add("desk?format=html")
    await bench.open_alert("<b>web-1</b>")
    for number in range(9):
        await bench.open_alert(f"web-{number}")
    await bench.run()
    [message] = bench.target.taken["desk"]
    assert "&lt;b&gt;" in message["message"]
    assert "<b>" not in message["message"]
    assert len(message["message"]) <= 300


async def test_only_texts_that_need_an_answer_are_told_without_their_words(bench: Bench) -> None:
    await bench.add("desk", alerts=False, texts=True, numbers=("447700900100",))
    await bench.receive(body="Is my order ready?", source="447700900011")
    await bench.receive(body="STOP", source="447700900012")
    await bench.receive(body="For another number", dest="447700900200")
    await bench.run()
    [message] = bench.target.taken["desk"]
    assert message["title"] == "Letterbox: 1 conversation needs an answer"
    assert "Anna (+44 7700 900011) to +44 7700 900100" in message["message"]
    assert f"{BASE}/conversations/" in message["message"]
    assert "order" not in message["message"]


async def test_quiet_hours_hold_texts_back_in_their_zone_but_no_alert(bench: Bench) -> None:
    # It is 13:00 in London.
    address = await bench.add(
        "desk", texts=True, quiet_from="12:30", quiet_until="14:00", zone="Europe/London"
    )
    await bench.receive()
    await bench.run()
    assert bench.target.taken == {}
    await bench.open_alert("web-1")
    await bench.run()
    assert bench.target.titles("desk") == ["Letterbox: critical alert disk-full"]
    bench.wait(minutes=59)
    await bench.run()
    assert len(bench.target.taken["desk"]) == 1
    bench.wait(minutes=1)
    await bench.run()
    assert bench.target.titles("desk")[1:] == ["Letterbox: 1 conversation needs an answer"]
    assert (await bench.read(address)).failures == 0


async def test_what_was_done_before_the_quiet_hours_end_is_not_told(bench: Bench) -> None:
    await bench.add("desk", texts=True, quiet_from="11:00", quiet_until="13:00")
    await bench.receive(source="447700900011")
    await bench.receive(source="447700900012")
    await bench.run()
    await bench.database.write(change_conversations, [1], {"state": "done"}, bench.now)
    bench.wait(hours=1)
    await bench.run()
    [message] = bench.target.taken["desk"]
    assert message["title"] == "Letterbox: 1 conversation needs an answer"
    assert "900012" in message["message"]


async def test_a_summary_comes_once_a_day_at_its_time(bench: Bench) -> None:
    await bench.add("desk", alerts=False, summary_at="08:00", zone="Europe/London")
    await bench.receive()
    await bench.run()  # its time had passed when it was added
    assert bench.target.taken == {}
    bench.now = NOW.replace(day=2, hour=6, minute=59)
    await bench.run()
    assert bench.target.taken == {}
    bench.wait(minutes=1)
    await bench.run()
    await bench.run()
    [summary] = bench.target.taken["desk"]
    assert summary["title"] == "Letterbox: daily summary"
    assert "Summary of 2026-06-01 (UTC):\n- texts received: 1\n" in summary["message"]
    bench.wait(days=1, hours=5)  # late, because nothing ran
    await bench.run()
    assert len(bench.target.taken["desk"]) == 2


async def test_a_failure_is_shown_told_to_others_and_tried_again_with_pauses(
    bench: Bench,
) -> None:
    broken, other = await bench.add("broken"), await bench.add("other")
    bench.target.modes["broken"] = "500"
    await bench.open_alert("web-1")
    with capture_logs() as logs:
        await bench.run()
    seen = await bench.read(broken)
    assert "500" in seen.last_error
    assert await bench.list_failing() == []  # once is bad luck
    for pause, calls in ((14, 1), (1, 2), (59, 2), (1, 3), (300, 4), (900, 5), (3600, 6)):
        bench.wait(seconds=pause)
        await bench.run()
        assert bench.target.called["broken"] == calls
    assert await bench.list_failing() == [broken.subject]
    assert any("notify-failing" in title for title in bench.target.titles("other"))
    assert not any(SECRET in str(each) for each in (logs, seen, bench.target.taken["other"]))
    bench.target.modes["broken"] = "ok"
    await bench.open_alert("web-2")
    bench.wait(hours=1)
    await bench.run()
    # All that it missed, but not that it was failing.
    assert bench.target.titles("broken") == ["Letterbox: 2 alerts, critical first"]
    assert await bench.list_failing() == []
    assert (await bench.read(broken)).last_error == ""
    assert (await bench.read(other)).failures == 0


@pytest.mark.parametrize("mode", ["hang", "slow"])
async def test_a_target_that_never_ends_delays_no_other_and_gets_no_second_thread(
    bench: Bench, mode: str
) -> None:
    stuck = await bench.add("stuck")
    await bench.add("desk")
    bench.target.modes["stuck"] = mode
    notifier = bench.make_notifier(seconds=0.5)
    await bench.open_alert("web-1")
    await notifier.turn()
    async with asyncio.timeout(20):
        await bench.target.news.wait()
    assert bench.target.titles("desk") == ["Letterbox: critical alert disk-full"]
    await notifier.settle()
    assert (await bench.read(stuck)).last_error == "no answer within 0.5 seconds"
    bench.wait(minutes=1)
    await bench.run(notifier)
    assert "still on its way" in (await bench.read(stuck)).last_error
    assert bench.target.called["stuck"] == 1


async def test_a_kill_while_sending_repeats_a_message_once(bench: Bench) -> None:
    address = await bench.add("desk")
    await bench.open_alert("web-1")
    taken = asyncio.Event()

    async def send_and_die(_: int, address: str, notice: Notice) -> str:
        assert await Deliverer().deliver(0, address, notice) == ""
        taken.set()
        await asyncio.Event().wait()
        return ""

    killed = bench.make_notifier(deliver=send_and_die)
    await killed.turn()
    await taken.wait()
    survivor = bench.make_notifier()
    await bench.run(survivor)  # the lease is still held, and the pause not over
    assert len(bench.target.taken["desk"]) == 1
    for task in list(killed._tasks.values()):
        task.cancel()
    await killed.settle()
    for _ in range(10):
        bench.wait(seconds=10)
        await bench.run(survivor)
    assert len(bench.target.taken["desk"]) == 2
    assert (await bench.read(address)).failures == 0


async def test_two_processes_send_one_message(bench: Bench) -> None:
    await bench.add("desk")
    first, second = bench.make_notifier(), bench.make_notifier()
    await bench.open_alert("web-1")
    await asyncio.gather(first.turn(), second.turn())
    await asyncio.gather(first.settle(), second.settle())
    await bench.run(second)
    assert len(bench.target.taken["desk"]) == 1


async def test_enabling_again_tells_nothing_of_the_past(bench: Bench) -> None:
    address = await bench.add("desk", texts=True, summary_at="12:30")
    await bench.database.write(manage_notify.disable_address, address.id, who=WHO, now=bench.now)
    await bench.open_alert("web-1")
    await bench.receive()
    bench.wait(days=6, hours=1)
    await bench.run()
    await bench.database.write(manage_notify.enable_address, address.id, who=WHO, now=bench.now)
    await bench.run()
    assert bench.target.taken == {}
    await bench.open_alert("web-2")
    await bench.run()
    assert "web-1" not in bench.target.last("desk")


async def test_a_test_goes_out_at_once_and_says_whether_it_works(bench: Bench) -> None:
    address = await bench.add("desk", summary_at="23:00")
    await bench.open_alert("web-1")
    await bench.run()
    await bench.database.write(manage_notify.request_test, address.id, who=WHO, now=bench.now)
    await bench.run()
    assert bench.target.titles("desk")[1:] == ["Letterbox: test"]
    bench.target.modes["desk"] = "500"
    await bench.database.write(manage_notify.request_test, address.id, who=WHO, now=bench.now)
    await bench.run()
    assert "500" in (await bench.read(address)).last_error
    await bench.database.write(manage_notify.disable_address, address.id, who=WHO, now=bench.now)
    with pytest.raises(Conflict, match="disabled"):
        await bench.database.write(manage_notify.request_test, address.id, who=WHO, now=bench.now)


async def test_addresses_of_the_setting_hear_of_alerts_and_are_changed_only_there(
    bench: Bench,
) -> None:
    await bench.run(bench.make_notifier(bench.target.address("set")))
    await bench.open_alert("web-1")
    await bench.run()
    assert len(bench.target.taken["set"]) == 1
    [address] = await bench.database.read(list_addresses)
    assert (address.source, address.sealed) == ("settings", None)
    for change in (manage_notify.disable_address, manage_notify.remove_address):
        with pytest.raises(Conflict, match="LETTERBOX_NOTIFY"):
            await bench.database.write(change, address.id, who=WHO, now=bench.now)
    await bench.run(bench.make_notifier())
    assert await bench.database.read(list_addresses) == []


async def test_another_api_key_makes_an_address_unreadable_which_shows(bench: Bench) -> None:
    address = await bench.add("desk")
    notifier = bench.make_notifier()
    notifier.sealer = Sealer("another")
    await bench.open_alert("web-1")
    await bench.run(notifier)
    assert "add it again" in (await bench.read(address)).last_error
    assert bench.target.called == {}


async def test_many_events_that_concern_nobody_are_passed_over(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.flows.operations.notifications.collect_news.MOST_EVENTS", 2)
    monkeypatch.setattr("app.flows.operations.notifications.notify.MOST_BEHIND", 2)
    address = await bench.add("desk", alerts=False, texts=True)
    for _ in range(5):
        await bench.receive(body="STOP")
    await bench.receive(body="Hello?", source="447700900077")
    for _ in range(6):
        await bench.run()
    assert bench.target.titles("desk") == ["Letterbox: 1 conversation needs an answer"]
    assert (await bench.read(address)).texts_after > address.texts_after


async def test_no_secret_is_stored_audited_or_repeated(bench: Bench) -> None:
    address = await bench.add("desk")
    with pytest.raises(Conflict) as refused:
        await bench.add("desk")
    assert SECRET not in str(refused.value)
    await bench.database.write(manage_notify.remove_address, address.id, who=WHO, now=bench.now)
    entries = await bench.database.read(list_audit, before=None, limit=9)
    assert [each.action for each in entries] == ["notify.remove", "notify.add"]
    assert not any(SECRET in str(each) for each in (*entries, address))
    assert address.sealed is not None
    assert SECRET.encode() not in address.sealed
    assert SECRET in SEALER.open(address.sealed)


def test_apprise_is_not_imported_before_there_is_something_to_send() -> None:
    code = "import sys, app.main, app.worker, app.cli.operations.notify;"
    code += "import app.web.operations.notifications;"
    code += "sys.exit('apprise' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
