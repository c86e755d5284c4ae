"""The header Idempotency-Key: a request to the provider is done only once."""

import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from app.api.core.errors import make_problem_for
from app.domain.errors import Conflict, InvalidInput, NoProvider, NotFound
from app.domain.outbound.send_outcomes import SendOutcome
from app.domain.provider_errors import ProviderError
from app.runtime import Runtime
from app.storage.operations.idempotency import IdempotencyKey, claim_key, keep_answer, release_key

HEADER = "Idempotency-Key"
REPLAYED = {"Idempotent-Replayed": "true"}
LONGEST_KEY = 200

# Added to the description of such an operation.
ONCE_PARAMETER: dict[str, Any] = {
    "parameters": [
        {
            "name": HEADER,
            "in": "header",
            "required": False,
            "description": "the same key and request get the first answer again, for 24 hours",
            "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY},
        }
    ]
}
REPLAYED_HEADER: dict[str, Any] = {
    "Idempotent-Replayed": {
        "description": "`true` where this is the first answer again",
        "schema": {"type": "string"},
    }
}

# After these nothing has been done, so the key can be used again.
_NOT_DONE = (
    InvalidInput,
    NotFound,
    Conflict,
    NoProvider,
    RequestValidationError,
    HTTPException,
)
_CERTAINLY_NOT_TAKEN = frozenset({SendOutcome.NOT_TAKEN, SendOutcome.REFUSED})
_KEPT_HEADERS = ("content-type", "location", "retry-after")


def find_key(request: Request) -> str | None:
    """The caller's key. Raises InvalidInput."""
    keys = request.headers.getlist(HEADER)
    if not keys:
        return None
    key = keys[0]
    if (
        len(keys) > 1
        or not 1 <= len(key) <= LONGEST_KEY
        or not (key.isascii() and key.isprintable())
    ):
        raise InvalidInput(
            f"send one key of 1 to {LONGEST_KEY} printable ASCII characters", field=HEADER
        )
    return key


async def make_key(request: Request, owner: str, key: str, secret: str) -> IdempotencyKey:
    """What a request asks for; `secret` keeps passwords in it from being guessed."""
    body = await request.body()
    if "json" in request.headers.get("content-type", "") and body:
        # An endpoint that takes JSON refuses what is none; others ignore a body.
        with suppress(HTTPException):
            body = json.dumps(await request.json(), sort_keys=True).encode()
    query = sorted(request.query_params.multi_items())
    asked = json.dumps([request.method, request.scope["path"], query]).encode()
    digest = hmac.new(secret.encode(), asked + b"\0" + body, hashlib.sha256).digest()
    return IdempotencyKey(owner, key, digest)


async def answer_once(
    runtime: Runtime, idempotency_key: IdempotencyKey, answer: Callable[[], Awaitable[Response]]
) -> Response:
    """The first answer to a key, made now or stored.

    The key is claimed before anything is done. If it is unknown whether the provider did it, the
    error is stored as the answer: a second request must not do it again.
    """
    database = runtime.database
    known = await database.write(claim_key, idempotency_key, runtime.now())
    if known is not None:
        return _read_answer(known)
    try:
        made = await answer()
    except _NOT_DONE:
        await database.write(release_key, idempotency_key)
        raise
    except ProviderError as error:
        if error.outcome in _CERTAINLY_NOT_TAKEN:
            await database.write(release_key, idempotency_key)
            raise
        made = make_problem_for(error)
    await database.write(keep_answer, idempotency_key, _write_answer(made), runtime.now())
    return made


def _write_answer(made: Response) -> dict[str, Any]:
    return {
        "status": made.status_code,
        "headers": {name: made.headers[name] for name in _KEPT_HEADERS if name in made.headers},
        "body": bytes(made.body).decode(),
    }


def _read_answer(known: Mapping[str, Any]) -> Response:
    headers = {**known["headers"], **REPLAYED}
    return Response(known["body"] or None, status_code=known["status"], headers=headers)
