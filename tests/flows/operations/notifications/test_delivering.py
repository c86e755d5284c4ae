"""Notifications that fail, hang or are cut off, and processes that share them."""

import asyncio
import subprocess
import sys

import pytest
from structlog.testing import capture_logs

from app.domain.access.sealing import Sealer
from app.domain.operations.notices import Notice
from app.flows.operations.notifications.deliver_notice import Deliverer
from tests.flows.operations.notifications.bench import Bench
from tests.support.endpoints.notify_target import SECRET


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


async def test_another_api_key_makes_an_address_unreadable_which_shows(bench: Bench) -> None:
    address = await bench.add("desk")
    notifier = bench.make_notifier()
    notifier.sealer = Sealer("another")
    await bench.open_alert("web-1")
    await bench.run(notifier)
    assert "add it again" in (await bench.read(address)).last_error
    assert bench.target.called == {}


def test_apprise_is_not_imported_before_there_is_something_to_send() -> None:
    code = "import sys, app.main, app.worker, app.cli.operations.notify;"
    code += "import app.web.operations.notifications;"
    code += "sys.exit('apprise' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
