"""Calls the provider for claimed texts; however a call ends, each text gets an outcome."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog

from app.domain.errors import (
    AccountError,
    CodeError,
    CountMismatch,
    InvalidInput,
    PermanentError,
    ProviderError,
    TooManyCalls,
    TurnedAway,
    UnreadableAnswer,
)
from app.domain.outbound.send_outcomes import NUMBER_CODES, ErrorClass, SendOutcome
from app.provider.actions import Named, NumberAnswer, OutgoingText, SourceTon
from app.provider.client import ProviderClient
from app.provider.wire import ID
from app.storage.outbound.claims import ClaimedText

# If checking the credits takes longer, the provider is not fit for a call.
LOOK_SECONDS = 10.0

log = structlog.get_logger("letterbox.send")


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a call for one text, before it is decided what follows."""

    outcome: SendOutcome
    error_class: ErrorClass | None = None
    code: str | None = None
    text: str | None = None
    provider_ids: tuple[str, ...] = ()
    background_ids: tuple[str, ...] = ()
    rest_seconds: float | None = None
    # A call to many had more or fewer answers than numbers.
    is_miscounted: bool = False


def keep_back(reason: str) -> Answer:
    """The result for a text that no call was made for."""
    return Answer(SendOutcome.NOT_TAKEN, text=reason)


async def look_first(client: ProviderClient) -> Answer | None:
    """Why no call to many numbers should be risked now; None if the provider answers properly.

    If something else answers in its place, all of the numbers would become uncertain.
    """
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            await client.check_credits()
    except asyncio.CancelledError:
        return keep_back("the process ended before the call")
    except (AccountError, TooManyCalls, TurnedAway) as error:
        return _describe(error)
    except PermanentError:
        return None
    except ProviderError as error:
        # A balance that nobody can read is one of these: then one text tries alone.
        is_other = isinstance(error, UnreadableAnswer)
        error_class = ErrorClass.CONFIGURATION if is_other else ErrorClass.PASSING
        return Answer(SendOutcome.NOT_TAKEN, error_class, text=str(error))
    except TimeoutError:
        words = "the provider did not answer a credit check in time"
        return Answer(SendOutcome.NOT_TAKEN, ErrorClass.PASSING, text=words)
    return None


async def call_provider(
    client: ProviderClient, texts: Sequence[ClaimedText], seconds: float
) -> list[Answer]:
    """Send them in one call, outside any transaction, within the given seconds.

    Returns the answer for each; raises nothing. Several texts may differ only in their numbers. A
    call that is cut off when the process ends may have been accepted.
    """
    try:
        async with asyncio.timeout(seconds):
            return await _send(client, texts)
    except asyncio.CancelledError:
        # No class: it says nothing about the provider.
        answer = Answer(SendOutcome.UNKNOWN, text="the process ended during the call")
    except InvalidInput as error:
        answer = Answer(SendOutcome.REFUSED, ErrorClass.PERMANENT, text=str(error))
    except ProviderError as error:
        answer = _read_error(error) if len(texts) == 1 else _read_shared_error(error)
    except TimeoutError:
        answer = Answer(SendOutcome.UNKNOWN, ErrorClass.AMBIGUOUS, text="the call took too long")
    except Exception as error:
        log.exception("call_failed", outbound=[text.id for text in texts])
        reason = f"the call failed in an unforeseen way ({type(error).__name__})"
        answer = Answer(SendOutcome.UNKNOWN, ErrorClass.AMBIGUOUS, text=reason)
    return [answer] * len(texts)


async def _send(client: ProviderClient, texts: Sequence[ClaimedText]) -> list[Answer]:
    text = texts[0]
    ton = None if text.source_ton is None else SourceTon(text.source_ton)
    outgoing = OutgoingText(text.source, text.body, text.validity_seconds, text.schedule_at, ton)
    if len(texts) > 1:
        numbers = [each.to or "" for each in texts]
        return list(map(_read_answer, await client.send_many(outgoing, numbers)))
    if text.to is not None:
        ids = await client.send(outgoing, text.to)
        return [Answer(SendOutcome.TAKEN, provider_ids=ids)]
    kind: Named = "group" if text.list_name is None else "list"
    sent = await client.send_to_named(outgoing, kind, text.list_name or text.group_name or "")
    error = sent.errors[0] if sent.errors else None
    answer = Answer(
        SendOutcome.TAKEN,
        code=None if error is None else str(error.code),
        text=None if error is None else str(error),
        background_ids=sent.ids,
    )
    return [answer]


def _read_answer(answer: NumberAnswer) -> Answer:
    """The answer to one of many numbers."""
    if answer.error is None:
        return Answer(SendOutcome.TAKEN, provider_ids=answer.ids)
    return _describe(answer.error)


def _read_error(error: ProviderError) -> Answer:
    """An error that names an id was taken, whatever else it says: no id is discarded."""
    answers = error.answers if isinstance(error, CountMismatch) else ()
    ids = tuple(each for each in answers if ID.fullmatch(each))
    answer = _describe(error)
    return replace(answer, outcome=SendOutcome.TAKEN, provider_ids=ids) if ids else answer


def _read_shared_error(error: ProviderError) -> Answer:
    """The error of a call to many numbers. The provider's report shows which numbers its ids belong
    to.
    """
    answer = _describe(error)
    if answer.outcome is SendOutcome.REFUSED and answer.code in NUMBER_CODES:
        return replace(answer, error_class=ErrorClass.SOME_NUMBER)
    return replace(answer, is_miscounted=isinstance(error, CountMismatch))


def _describe(error: ProviderError) -> Answer:
    code = str(error.code) if isinstance(error, CodeError) else None
    rest = error.retry_after_seconds if isinstance(error, TooManyCalls) else None
    return Answer(error.outcome, error.error_class, code=code, text=str(error), rest_seconds=rest)
