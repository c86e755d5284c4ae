"""Calls the provider for one claimed text: whatever becomes of the call, it has a fate."""

import asyncio
from dataclasses import dataclass

import structlog

from app.domain.errors import (
    CodeError,
    CountMismatch,
    InvalidInput,
    ProviderError,
    TooManyCalls,
)
from app.domain.fates import ErrorClass, Fate
from app.provider.actions import OutgoingText, SourceTon
from app.provider.client import ProviderClient
from app.provider.wire import ID
from app.storage.claims import ClaimedText

log = structlog.get_logger("letterbox.send")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call came to, before it is decided what follows."""

    fate: Fate
    error_class: ErrorClass | None = None
    code: str | None = None
    text: str | None = None
    provider_ids: tuple[str, ...] = ()
    background_ids: tuple[str, ...] = ()
    rest_seconds: float | None = None


async def call_provider(client: ProviderClient, text: ClaimedText, *, seconds: float) -> Answer:
    """Send it, with no transaction open and no more than so many seconds; raises nothing.

    One that is cancelled, at the end of the process, may have been taken.
    """
    try:
        async with asyncio.timeout(seconds):
            return await _send(client, text)
    except asyncio.CancelledError:
        # No class: it says nothing of the provider.
        return Answer(Fate.UNKNOWN, text="the process ended meanwhile")
    except InvalidInput as error:
        return Answer(Fate.REFUSED, ErrorClass.PERMANENT, text=str(error))
    except ProviderError as error:
        return _read_error(error)
    except TimeoutError:
        return Answer(Fate.UNKNOWN, ErrorClass.AMBIGUOUS, text="the call took too long")
    except Exception as error:
        log.exception("call_failed", outbound=text.id)
        reason = f"the call failed in an unforeseen way ({type(error).__name__})"
        return Answer(Fate.UNKNOWN, ErrorClass.AMBIGUOUS, text=reason)


async def _send(client: ProviderClient, text: ClaimedText) -> Answer:
    ton = None if text.source_ton is None else SourceTon(text.source_ton)
    outgoing = OutgoingText(text.source, text.body, text.validity_seconds, text.schedule_at, ton)
    if text.to is not None:
        ids = await client.send(outgoing, text.to, all_ids=True)
        return Answer(Fate.TAKEN, provider_ids=ids)
    send = client.send_to_group if text.list_name is None else client.send_to_list
    sent = await send(outgoing, text.list_name or text.group_name or "", background_ids=True)
    error = sent.errors[0] if sent.errors else None
    return Answer(
        Fate.TAKEN,
        code=None if error is None else str(error.code),
        text=None if error is None else str(error),
        background_ids=sent.ids,
    )


def _read_error(error: ProviderError) -> Answer:
    """An error that names an id was taken, whatever else it says: no id is discarded."""
    answers = error.answers if isinstance(error, CountMismatch) else ()
    ids = tuple(each for each in answers if ID.fullmatch(each))
    return Answer(
        Fate.TAKEN if ids else error.fate,
        error.error_class,
        code=str(error.code) if isinstance(error, CodeError) else None,
        text=str(error),
        provider_ids=ids,
        rest_seconds=error.retry_after_seconds if isinstance(error, TooManyCalls) else None,
    )
