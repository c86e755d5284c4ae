"""Follows texts to their end: leases, statuses, and proof of what became of uncertain ones."""

from collections.abc import Awaitable, Callable

from app.flows.operations.processes.leader import take_turn
from app.flows.operations.processes.supervise import Chore, Loop, Work
from app.flows.outbound.sending.resolve_uncertain import UncertainResolver
from app.flows.outbound.sending.sync import Checker
from app.runtime import Runtime
from app.storage.outbound.sending.backlog import Chores, find_chores
from app.storage.outbound.sending.expiry import end_leases, expire_overdue

# Leases and checks are due after seconds at the earliest.
CHORES_SECONDS = 2.0
CHORES_ROWS = 100


def make_ending(runtime: Runtime, loop: Loop) -> Work:
    """Ends the leases of dead processes, and expires texts."""

    async def step() -> None:
        chores = await runtime.database.read(find_chores, runtime.now())
        ended = 0
        if chores.leases:
            ended += await runtime.database.write(end_leases, limit=CHORES_ROWS)
        # After a long outage there are many, and nothing should wait for them.
        while chores.overdue and (
            count := await runtime.database.write(expire_overdue, runtime.now(), limit=CHORES_ROWS)
        ):
            ended += count
            loop.progress()
        if ended:
            runtime.announce_changes()

    return Chore(step, CHORES_SECONDS)


def make_checking(runtime: Runtime, loop: Loop) -> Work:
    """Asks for the statuses of sent texts; one process at a time."""
    checker = Checker(
        runtime.database,
        runtime.get_provider(),
        runtime.settings.zone,
        runtime.metrics,
        on_change=runtime.announce_changes,
        now=runtime.now,
    )

    return _make_rounds(runtime, loop, "check", lambda chores: chores.checks, checker.check_due)


def make_settling(runtime: Runtime, loop: Loop) -> Work:
    """Looks for proof of what happened to uncertain texts; one process at a time."""
    resolver = UncertainResolver(
        runtime.database,
        runtime.get_provider(),
        runtime.settings.zone,
        runtime.settings.default_region,
        runtime.settings.uncertain_proof_seconds,
        runtime.metrics,
        # It may go out again, and lets the next text of its pair go.
        on_change=runtime.announce_texts,
        now=runtime.now,
    )

    return _make_rounds(runtime, loop, "settle", lambda chores: chores.proofs, resolver.resolve_due)


def _make_rounds(
    runtime: Runtime,
    loop: Loop,
    name: str,
    is_due: Callable[[Chores], bool],
    take_round: Callable[[], Awaitable[int]],
) -> Work:
    """Rounds until nothing more is due, unless another process is doing them."""

    async def step() -> None:
        if is_due(await runtime.database.read(find_chores, runtime.now())):
            async with take_turn(runtime.database, name, now=runtime.now) as is_mine:
                while is_mine and await take_round():
                    loop.progress()

    return Chore(step, CHORES_SECONDS)
