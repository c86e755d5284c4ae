"""Forms that do their work once, however often one showing of them is sent."""

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TypeVar

from app.domain.errors import Conflict, InFlight
from app.storage.operations.idempotency import Once
from app.web.core.forms import Form
from app.web.core.site import Visit

# The hidden field by which a form that is sent twice is known.
NONCE = "once"
MAX_NONCE = 64
# So long the second click of two waits for what the first one does, before it is told so.
PATIENCE_SECONDS = 5.0
LOOK_SECONDS = 0.1

Done = TypeVar("Done")


def find_nonce(form: Form) -> str:
    """A name for one showing of a form.

    One that comes back with an error keeps it: whoever presses again may have sent it already.
    """
    return form.text(NONCE)[:MAX_NONCE] or secrets.token_urlsafe(12)


def make_once(visit: Visit, form: Form, asked: bytes) -> Once | None:
    """What a form asks for, so that it is done once; None for a form without a nonce.

    What was changed after going back in the browser is another request, and is done.
    """
    nonce = form.text(NONCE)[:MAX_NONCE]
    if not nonce:
        return None
    digest = hashlib.sha256(asked).digest()
    return Once(f"session:{visit.signed_in.id}", f"{nonce}:{digest.hex()}", digest)


async def wait_for_first(do: Callable[[], Awaitable[Done]], busy: str) -> Done:
    """Do it, after the first click where that is still under way; `busy` says so in the end.

    Raises Conflict, and what `do` raises.
    """
    give_up_at = monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return await do()
        except InFlight:
            if monotonic() >= give_up_at:
                raise Conflict(busy) from None
            await asyncio.sleep(LOOK_SECONDS)
