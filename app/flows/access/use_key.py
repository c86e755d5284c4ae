"""Finds the API key of a request, and notes that it was used."""

from contextlib import suppress
from datetime import datetime

from app.domain.errors import Unavailable
from app.storage.access.keys import LAST_USED_STEP, ApiKey, find_key, note_key_used
from app.storage.db.database import Database


async def use_key(database: Database, digest: bytes, *, now: datetime) -> ApiKey | None:
    """None for an unknown key. Raises Unavailable where the database cannot be asked."""
    key = await database.read(find_key, digest)
    if key and (key.last_used_at is None or key.last_used_at < now - LAST_USED_STEP):
        with suppress(Unavailable):  # the request does not depend on it
            await database.write(note_key_used, key.id, now)
    return key
