"""Lets one process at a time do something: whoever holds its lease, which is kept up meanwhile."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

from app.domain.errors import Unavailable
from app.storage.database import Database
from app.storage.leases import return_lease, take_lease

LEASE_SECONDS = 30.0
RENEWED_EVERY_SECONDS = 10.0


@asynccontextmanager
async def take_turn(
    database: Database, name: str, *, now: Callable[[], datetime]
) -> AsyncIterator[bool]:
    """Whether the block may do it: False where another process does. Raises Unavailable.

    A block that ends well is noted with the time when it began (storage/leases.py).
    """
    holder, began_at = secrets.token_hex(8), now()
    if not await database.write(take_lease, name, holder, seconds=LEASE_SECONDS, now=began_at):
        yield False
        return
    renewing = asyncio.create_task(_renew(database, name, holder, now))
    succeeded_at = None
    try:
        yield True
        succeeded_at = began_at
    finally:
        renewing.cancel()
        # A lease that cannot be returned ends by itself.
        with contextlib.suppress(Unavailable):
            await database.write(return_lease, name, holder, now=now(), began_at=succeeded_at)


async def _renew(database: Database, name: str, holder: str, now: Callable[[], datetime]) -> None:
    while True:
        await asyncio.sleep(RENEWED_EVERY_SECONDS)
        with contextlib.suppress(Unavailable):
            await database.write(take_lease, name, holder, seconds=LEASE_SECONDS, now=now())
