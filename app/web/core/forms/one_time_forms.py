"""Forms that do their work once, however often they are submitted."""

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TypeVar

from app.domain.errors import Conflict, InFlight
from app.storage.operations.idempotency import IdempotencyKey
from app.web.core.forms.form import Form
from app.web.core.site import Visit

# The hidden field that identifies a form which is submitted twice.
NONCE = "once"
MAX_NONCE = 64
# How long the second of two clicks waits for the first one to finish.
PATIENCE_SECONDS = 5.0
LOOK_SECONDS = 0.1

Result = TypeVar("Result")


def find_nonce(form: Form) -> str:
    """A name for a form as it is shown now.

    A form that comes back with an error keeps its name: it may have been sent already.
    """
    return form.text(NONCE)[:MAX_NONCE] or secrets.token_urlsafe(12)


def make_form_key(visit: Visit, form: Form, asked: bytes) -> IdempotencyKey | None:
    """The key under which a form's work is done once; None for a form without a nonce.

    A form that was changed after going back in the browser is a new request.
    """
    nonce = form.text(NONCE)[:MAX_NONCE]
    if not nonce:
        return None
    digest = hashlib.sha256(asked).digest()
    return IdempotencyKey(f"session:{visit.signed_in.id}", f"{nonce}:{digest.hex()}", digest)


async def wait_for_first(do: Callable[[], Awaitable[Result]], busy: str) -> Result:
    """Do it, after the first click if that is still being processed; if it takes long, say `busy`.

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
