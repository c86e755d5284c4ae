"""Lets one process at a time do something: the one that holds its lease and renews it."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

import structlog

from app.domain.errors import Unavailable
from app.storage.db.database import Database
from app.storage.operations.leases import return_lease, take_lease

log = structlog.get_logger("letterbox.leases")

LEASE_SECONDS = 30.0
RENEWED_EVERY_SECONDS = 10.0
# The holder stops this long before its lease ends, to leave time for its last step.
MARGIN_SECONDS = 2.0


@asynccontextmanager
async def take_turn(
    database: Database, name: str, *, now: Callable[[], datetime], notes_success: bool = True
) -> AsyncIterator[str | None]:
    """Yields the name of the holder; None if another process is doing it. Raises Unavailable.

    When the block succeeds, its start time is stored, unless the block does that itself. If its
    lease is lost or cannot be renewed in time, the block is cancelled and ends as Unavailable,
    because another process may be doing the same by then.
    """
    holder, began_at = secrets.token_hex(8), now()
    loop = asyncio.get_running_loop()
    taken_at = loop.time()
    if not await database.write(take_lease, name, holder, seconds=LEASE_SECONDS, now=began_at):
        yield None
        return
    succeeded_at = None
    limit = asyncio.timeout_at(_find_end(taken_at))
    renewing = asyncio.create_task(_renew(database, name, holder, now, limit))
    try:
        async with limit:
            yield holder
        succeeded_at = began_at if notes_success else None
    except TimeoutError:
        if not limit.expired():
            raise
        raise Unavailable(f"the lease of {name} was lost: another process may hold it") from None
    finally:
        renewing.cancel()
        # A lease that cannot be returned expires.
        with contextlib.suppress(Unavailable):
            await database.write(return_lease, name, holder, now=now(), began_at=succeeded_at)


async def _renew(
    database: Database,
    name: str,
    holder: str,
    now: Callable[[], datetime],
    limit: asyncio.Timeout,
) -> None:
    """Renew the lease and extend the block's deadline; without a lease the block ends."""
    loop = asyncio.get_running_loop()
    while not limit.expired():
        await asyncio.sleep(RENEWED_EVERY_SECONDS)
        taken_at = loop.time()
        try:
            is_mine = await database.write(
                take_lease, name, holder, seconds=LEASE_SECONDS, now=now()
            )
        except Exception as error:  # noqa: BLE001 the block goes on while the lease holds
            log.debug("lease_not_renewed", name=name, error=str(error))
            continue
        if not limit.expired():
            limit.reschedule(_find_end(taken_at) if is_mine else loop.time())
        if not is_mine:
            return


def _find_end(taken_at: float) -> float:
    return taken_at + LEASE_SECONDS - MARGIN_SECONDS
