"""Hashes passwords in threads, a few at a time, so that no text waits for it."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from app.domain.access import passwords
from app.domain.errors import Unavailable

T = TypeVar("T")

# Each needs 19 MiB and a core for 30 ms: more at once would only compete.
AT_ONCE = 2
# Behind so many, about half a second passes; whoever comes next is asked to try again.
WAITING = 30


class PasswordHashing:
    """One for each process."""

    def __init__(self, *, at_once: int = AT_ONCE, waiting: int = WAITING) -> None:
        self._turns = asyncio.Semaphore(at_once)
        self._room = at_once + waiting

    async def hash(self, password: str) -> str:
        """The hash of a new password. Raises Unavailable."""
        return await self._run(passwords.hash_password, password)

    async def is_password(self, kept: str | None, given: str) -> bool:
        """Whether it is the password of the hash. Raises Unavailable."""
        return await self._run(passwords.is_password, kept, given)

    async def _run(self, work: Callable[..., T], *args: Any) -> T:
        if not self._room:
            raise Unavailable("many people are signing in at this moment: try again in a second")
        self._room -= 1
        try:
            async with self._turns:
                return await asyncio.to_thread(work, *args)
        finally:
            self._room += 1
