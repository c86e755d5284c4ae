"""The watch over the credits: the alert, the probe, and one look for all processes."""

from datetime import timedelta
from decimal import Decimal

from app.flows.operations.alarms.credit_monitor import EVERY
from app.flows.operations.processes.leader import LEASE_SECONDS, take_turn
from app.storage.outbound.sending.sender import get_sender, pause_sender, stop_sender
from tests.support.outbox import Outbox


def set_credits(outbox: Outbox, amount: str) -> None:
    outbox.world.accounts.get("demo").credits = Decimal(amount)


async def read_state(outbox: Outbox) -> str:
    return (await outbox.database.read(get_sender)).state


async def test_an_alert_is_open_while_the_credits_are_low(outbox: Outbox) -> None:
    set_credits(outbox, "49.5")
    await outbox.make_watcher().look()
    assert (await outbox.database.read(get_sender)).credits == "49.50"
    assert await outbox.alerts() == ["low-credits"]
    set_credits(outbox, "1234")
    await outbox.make_watcher().look()
    assert await outbox.alerts() == []


async def test_several_processes_look_once_in_a_while(outbox: Outbox) -> None:
    for _ in range(3):
        await outbox.make_watcher().look_if_due()
    assert outbox.world.calls.counts["CheckCredits"] == 1
    outbox.pass_seconds(EVERY.total_seconds())
    await outbox.make_watcher().look_if_due()
    assert outbox.world.calls.counts["CheckCredits"] == 2


async def test_a_look_that_fails_leaves_everything(outbox: Outbox) -> None:
    outbox.strike("html", action="CheckCredits")
    await outbox.database.write(stop_sender, "no credits", outbox.now())
    assert not await outbox.make_watcher().probe()
    assert await read_state(outbox) == "stopped"


async def test_a_probe_resumes_only_with_credits_and_never_a_persons_pause(outbox: Outbox) -> None:
    await outbox.database.write(stop_sender, "no credits", outbox.now())
    await outbox.make_watcher().look()
    assert await read_state(outbox) == "stopped"  # a look is no probe
    set_credits(outbox, "0")
    assert not await outbox.make_watcher().probe()
    set_credits(outbox, "10")
    assert await outbox.make_watcher().probe()
    assert await read_state(outbox) == "running"
    await outbox.database.write(pause_sender, "Anna", None, outbox.now())
    assert not await outbox.make_watcher().probe()
    assert await read_state(outbox) == "paused"
    assert "sender-paused" in await outbox.alerts()


async def test_one_has_the_turn_until_it_ends_or_is_forgotten(outbox: Outbox) -> None:
    async with take_turn(outbox.database, "x", now=outbox.now) as mine:
        async with take_turn(outbox.database, "x", now=outbox.now) as other:
            assert mine
            assert other is None
        outbox.pass_seconds(LEASE_SECONDS + 1)
        async with take_turn(outbox.database, "x", now=outbox.now) as other:
            assert other
    async with take_turn(outbox.database, "x", now=lambda: outbox.now() + timedelta(1)) as other:
        assert other
