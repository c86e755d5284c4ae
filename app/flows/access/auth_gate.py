"""Decides whether a forward's `auth` opens /inbound, from memory, whatever the database does."""

import asyncio
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from app.domain.access.credentials import Admission, AuthValue, digest_secret
from app.domain.errors import Unavailable, describe_cause
from app.storage.access.numbers import read_admission, read_revision
from app.storage.db.database import Database
from app.storage.durable import write_file

READ_TIMEOUT_SECONDS = 1.0
# However many wrong values come in, the database is asked no more often than this.
MIN_PAUSE_SECONDS = 0.05

log = structlog.get_logger("letterbox.auth_gate")


class AuthGate:
    """Holds the digests of all live auth values; an unknown one makes it read them again first.

    What was read last is kept in a file, so that a start needs no database.
    """

    def __init__(self, database: Database, cache: Path, shared_secret: str) -> None:
        self._database = database
        self._cache = cache
        digest = digest_secret(shared_secret)
        self._shared = AuthValue(None, None, digest, None)
        self._admission = self._with_shared(_read_cache(cache))
        # None after a write that failed.
        self._cached_revision: int | None = -1
        self._reading = asyncio.Lock()
        self._next: asyncio.Task[None] | None = None
        self._read_at = 0.0

    @property
    def admission(self) -> Admission:
        return self._admission

    async def read_again(self) -> None:
        """Read the current values, because a value was unknown.

        Raises Unavailable where the database cannot be asked, whatever the reason.
        """
        try:
            await asyncio.shield(self._join_read())
        except Unavailable:
            raise
        except Exception as error:
            # For example a missing table or a damaged file: the caller can try again.
            raise Unavailable(
                f"the auth values cannot be read ({describe_cause(error)})"
            ) from error

    async def refresh(self) -> None:
        """Read the values again if they have changed. Raises Unavailable."""
        revision = await self._database.read(read_revision)
        if not revision == self._admission.revision == self._cached_revision:
            await self._read()

    def _join_read(self) -> asyncio.Task[None]:
        """A read that begins after this call, shared by everyone who waits."""
        if self._next is None:
            self._next = asyncio.create_task(self._read_in_turn())
        return self._next

    async def _read_in_turn(self) -> None:
        async with self._reading:
            loop = asyncio.get_running_loop()
            await asyncio.sleep(self._read_at + MIN_PAUSE_SECONDS - loop.time())
            self._next = None
            self._read_at = loop.time()
            await self._read()

    async def _read(self) -> None:
        found = await self._database.read_within(READ_TIMEOUT_SECONDS, read_admission)
        self._admission = self._with_shared(found)
        if found.revision != self._cached_revision:
            try:
                await asyncio.to_thread(_write_cache, self._cache, found)
            except OSError as error:
                # Only a start without the database would need it; the next tick tries again.
                write = log.debug if self._cached_revision is None else log.warning
                write("auth_values_not_cached", error=error.strerror)
                self._cached_revision = None
            else:
                self._cached_revision = found.revision

    def _with_shared(self, found: Admission) -> Admission:
        values = {**found.values, self._shared.digest: self._shared}
        return Admission(found.revision, found.numbers, values)


def _read_cache(path: Path) -> Admission:
    try:
        stored = json.loads(path.read_bytes())
        values = [_read_value(fields) for fields in stored["values"]]
        numbers = frozenset(stored["numbers"])
    except (OSError, ValueError, KeyError, TypeError):
        return Admission(-1, frozenset(), {})
    return Admission(-1, numbers, {value.digest: value for value in values})


def _read_value(fields: dict[str, Any]) -> AuthValue:
    expires_at = fields["expires_at"] and datetime.fromisoformat(fields["expires_at"])
    return AuthValue(fields["id"], fields["number"], bytes.fromhex(fields["digest"]), expires_at)


def _write_cache(path: Path, admission: Admission) -> None:
    """Only digests; a reader finds the old file or the new one, whoever else writes it."""
    stored = {
        "numbers": sorted(admission.numbers),
        "values": [
            {
                "id": value.id,
                "number": value.number,
                "digest": value.digest.hex(),
                "expires_at": value.expires_at and value.expires_at.isoformat(),
            }
            for value in admission.values.values()
        ],
    }
    write_file(path, json.dumps(stored).encode())
