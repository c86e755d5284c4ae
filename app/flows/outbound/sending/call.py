"""Calls the provider for claimed texts; however a call ends, each text gets a result."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import structlog

from app.domain.errors import InvalidInput
from app.domain.outbound.send_outcomes import NUMBER_CODES, CallResult, ErrorClass, SendOutcome
from app.domain.provider_errors import (
    AccountError,
    CodeError,
    CountMismatch,
    PermanentError,
    ProviderError,
    TooManyCalls,
    TurnedAway,
    UnreadableAnswer,
)
from app.provider.client import ProviderClient
from app.provider.wire import ID
from app.storage.outbound.sending.claims import ClaimedText

# If checking the credits takes longer, the provider is not fit for a call.
LOOK_SECONDS = 10.0

log = structlog.get_logger("letterbox.send")


def keep_back(reason: str) -> CallResult:
    """The result for a text that no call was made for."""
    return CallResult(SendOutcome.NOT_TAKEN, answer=reason)


async def look_first(client: ProviderClient) -> CallResult | None:
    """Why no call to many numbers should be risked now; None if the provider answers properly.

    If something else answers in its place, all of the numbers would become uncertain.
    """
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            await client.check_credits()
    except asyncio.CancelledError:
        return keep_back("the process ended before the call")
    except (AccountError, TooManyCalls, TurnedAway) as error:
        return _read_error(error)
    except PermanentError:
        return None
    except ProviderError as error:
        # A balance that nobody can read is one of these: then one text tries alone.
        is_other = isinstance(error, UnreadableAnswer)
        error_class = ErrorClass.CONFIGURATION if is_other else ErrorClass.PASSING
        return CallResult(SendOutcome.NOT_TAKEN, error_class, answer=str(error))
    except TimeoutError:
        words = "the provider did not answer a credit check in time"
        return CallResult(SendOutcome.NOT_TAKEN, ErrorClass.PASSING, answer=words)
    return None


async def call_provider(
    client: ProviderClient, texts: Sequence[ClaimedText], seconds: float
) -> list[CallResult]:
    """Send them in one call, outside any transaction, within the given seconds.

    Returns the result for each; raises nothing. Several texts may differ only in their numbers. A
    call that is cut off when the process ends may have been accepted.
    """
    try:
        async with asyncio.timeout(seconds):
            return await _send(client, texts)
    except asyncio.CancelledError:
        # No class: it says nothing about the provider.
        result = CallResult(SendOutcome.UNKNOWN, answer="the process ended during the call")
    except InvalidInput as error:
        result = CallResult(SendOutcome.REFUSED, ErrorClass.PERMANENT, answer=str(error))
    except ProviderError as error:
        result = _read_error(error, is_shared=len(texts) > 1)
    except TimeoutError:
        reason = "the call took too long"
        result = CallResult(SendOutcome.UNKNOWN, ErrorClass.AMBIGUOUS, answer=reason)
    except Exception as error:
        log.exception("call_failed", outbound=[text.id for text in texts])
        reason = f"the call failed in an unforeseen way ({type(error).__name__})"
        result = CallResult(SendOutcome.UNKNOWN, ErrorClass.AMBIGUOUS, answer=reason)
    return [result] * len(texts)


async def _send(client: ProviderClient, texts: Sequence[ClaimedText]) -> list[CallResult]:
    text = texts[0]
    if len(texts) > 1:
        answers = await client.send_many(text, [each.to or "" for each in texts])
        return [
            _read_error(each.error)
            if each.error
            else CallResult(SendOutcome.TAKEN, provider_ids=each.ids)
            for each in answers
        ]
    if text.to is not None:
        return [CallResult(SendOutcome.TAKEN, provider_ids=await client.send(text, text.to))]
    if text.list_name is not None:
        sent = await client.send_to_named(text, "list", text.list_name)
    else:
        sent = await client.send_to_named(text, "group", text.group_name or "")
    error = sent.errors[0] if sent.errors else None
    return [
        CallResult(
            SendOutcome.TAKEN,
            code=None if error is None else str(error.code),
            answer=None if error is None else str(error),
            background_ids=sent.ids,
        )
    ]


def _read_error(error: ProviderError, *, is_shared: bool = False) -> CallResult:
    """`is_shared`: it answered a call to many numbers."""
    result = CallResult(
        error.outcome,
        error.error_class,
        code=str(error.code) if isinstance(error, CodeError) else None,
        answer=str(error),
        rest_seconds=error.retry_after_seconds if isinstance(error, TooManyCalls) else None,
        is_miscounted=is_shared and isinstance(error, CountMismatch),
    )
    if is_shared:
        # Which ids belong to which number, the provider's report will show.
        is_of_one = result.outcome is SendOutcome.REFUSED and result.code in NUMBER_CODES
        return replace(result, error_class=ErrorClass.SOME_NUMBER) if is_of_one else result
    answers = error.answers if isinstance(error, CountMismatch) else ()
    ids = tuple(each for each in answers if ID.fullmatch(each))
    # What has an id was taken, whatever else the answer says.
    return replace(result, outcome=SendOutcome.TAKEN, provider_ids=ids) if ids else result
