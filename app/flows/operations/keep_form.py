"""Keeps a form that somebody is filling in for a day, so that its next page has an address."""

import secrets
from collections.abc import Sequence
from datetime import datetime

from app.domain.errors import NotFound
from app.storage.db.database import Database
from app.storage.operations.idempotency import IdempotencyKey, find_answer, keep_answer

Fields = Sequence[tuple[str, str]]
_DIGEST = b"a form"


async def keep_form(database: Database, owner: str, fields: Fields, *, now: datetime) -> str:
    """Returns the name by which its owner finds it."""
    name = secrets.token_urlsafe(12)
    kept = {"fields": [list(pair) for pair in fields]}
    await database.write(keep_answer, _name(owner, name), kept, now)
    return name


async def find_form(database: Database, owner: str, name: str, *, now: datetime) -> Fields:
    """Raises NotFound for one that is older than a day, or of somebody else."""
    kept = await database.read(find_answer, _name(owner, name), now)
    if kept is None:
        raise NotFound("this form was not kept any longer; please write it again")
    return [(name, value) for name, value in kept["fields"]]


def _name(owner: str, name: str) -> IdempotencyKey:
    return IdempotencyKey(owner, f"form:{name}", _DIGEST)
