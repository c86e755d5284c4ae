"""Composes texts that a person or program wants sent: checks them, and queues all or none."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from app.domain.errors import Fault, InvalidFields, InvalidInput, NotFound
from app.domain.inbound.messages import make_pair_key
from app.domain.outbound.credits import estimate_credits
from app.domain.outbound.gsm import measure_text
from app.domain.outbound.requests import OutboundRequest
from app.flows.outbound.check_request import Checked, check_request
from app.storage.access.audit import add_audit
from app.storage.conversations.conversations import open_conversations
from app.storage.db.database import Connection, Database
from app.storage.inbound.search import get_message
from app.storage.operations.events import add_events
from app.storage.operations.idempotency import IdempotencyKey, find_answer, keep_answer, lock_key
from app.storage.outbound.outbox import Addressee, queue_texts
from app.storage.outbound.sending.sender import get_sender
from app.storage.outbound.texts import OutboundText, get_outbounds
from app.storage.rules.opt_outs import find_opted_out, name_again


@dataclass(frozen=True, slots=True)
class Queued:
    """What is queued. `parts` are those of one text; `estimated_credits` are for all together,
    None where nobody knows how many a list or group has.
    """

    texts: list[OutboundText]
    parts: int
    estimated_credits: int | None
    warnings: list[str]


@dataclass(frozen=True, slots=True)
class Look:
    """What would be queued: to which numbers, and which of them have opted out.

    `estimated_credits` are for all numbers but those, None where nobody knows.
    """

    source: str
    numbers: tuple[str, ...]
    opted_out: tuple[str, ...]
    estimated_credits: int | None
    warnings: list[str]


@dataclass(frozen=True, slots=True)
class Composed:
    """An answer to a program; `is_replayed`: it was given before, and nothing was done now."""

    answer: Mapping[str, Any]
    is_replayed: bool = False


async def look_at_text(
    database: Database, request: OutboundRequest, *, region: str, zone: ZoneInfo, now: datetime
) -> Look:
    """A preview of what would be sent, and to whom.

    Raises InvalidInput as `compose_once` does, except for numbers that have opted out.
    """
    checked = check_request(request, region, zone, now)
    if checked.faults:
        raise InvalidFields(checked.faults)
    parts = len(measure_text(request.body).parts)
    numbers = tuple(checked.numbers)

    def look(conn: Connection) -> Look:
        out = find_opted_out(conn, numbers) if numbers else frozenset()
        cost = _estimate([each for each in numbers if each not in out], parts)
        opted_out = tuple(each for each in numbers if each in out)
        warnings = [*checked.warnings, *warn_of_sender(conn, cost or parts)]
        return Look(checked.request.source, numbers, opted_out, cost, warnings)

    return await database.read(look)


async def compose_once(
    database: Database,
    request: OutboundRequest,
    idempotency_key: IdempotencyKey | None,
    render: Callable[[Queued], Mapping[str, Any]],
    *,
    who: str,
    region: str,
    zone: ZoneInfo,
    now: datetime,
) -> Composed:
    """Queue a text to each number, or to a list or group, whoever `who` is.

    `render` makes the answer, which a request with the same key gets again for a day; the key of a
    failed request can be used again. `region` says how national numbers are read, `zone` is the
    provider's. Raises InvalidInput: where numbers are invalid or have opted out, nothing is queued
    and each of them is named. Raises ReusedKey and InFlight besides.
    """
    if idempotency_key is not None:
        # The first answer stands, even if the request would not be valid any more.
        known = await database.read(find_answer, idempotency_key, now)
        if known is not None:
            return Composed(known, is_replayed=True)
    checked = check_request(request, region, zone, now)

    def queue_once(conn: Connection) -> Composed:
        known = None if idempotency_key is None else lock_key(conn, idempotency_key, now)
        if known is not None:
            return Composed(known, is_replayed=True)
        answer = render(_queue(conn, checked, who, now))
        if idempotency_key is not None:
            keep_answer(conn, idempotency_key, answer, now)
        return Composed(answer)

    return await database.write(queue_once)


def _queue(conn: Connection, checked: Checked, who: str, now: datetime) -> Queued:
    """Everything in the caller's transaction, which an error undoes."""
    request, numbers = checked.request, checked.numbers
    conversation_ids = _open_conversations(conn, checked, now)
    opted_out = find_opted_out(conn, list(numbers))
    faults = list(checked.faults)
    if not request.force:
        faults += [
            Fault(field, f"{number} has opted out of texts", "opted-out")
            for number, field in numbers.items()
            if number in opted_out
        ]
    if faults:
        raise InvalidFields(sorted(faults, key=lambda fault: _find_place(fault.field)))
    name_again(conn, opted_out)
    addressees = [
        Addressee(each, conversation_ids[each], is_forced=each in opted_out) for each in numbers
    ]
    ids = queue_texts(conn, request, addressees or [Addressee()], who, now)
    parts = len(measure_text(request.body).parts)
    cost = _estimate(numbers, parts)
    warnings = [*checked.warnings, *warn_of_sender(conn, cost or parts)]
    # One entry a request, for the first of its texts; `forced` names those who had opted out.
    whom = request.list_name or request.group_name or ", ".join(numbers)
    detail: dict[str, Any] = {"to": whom, "source": request.source, "count": len(ids)}
    if opted_out:
        detail["forced"] = sorted(opted_out)
    add_audit(conn, who, "outbound.create", str(ids[0]), detail, now)
    found = get_outbounds(conn, ids)
    add_events(conn, [("outbound", each) for each in ids], now)
    return Queued([found[each] for each in ids], parts, cost, warnings)


def _open_conversations(conn: Connection, checked: Checked, now: datetime) -> dict[str, int]:
    """Lock each number's conversation before anything of it is read."""
    ours, numbers = checked.request.source, checked.numbers
    if checked.request.in_reply_to is not None:
        ours = _find_answered(conn, checked, checked.request.in_reply_to)
    if not numbers:
        return {}
    pairs = [(ours, number) for number in numbers]
    found = open_conversations(conn, pairs, now, in_batch=len(pairs) > 1)
    return {number: found[make_pair_key(ours, number)] for number in numbers}


def _find_answered(conn: Connection, checked: Checked, message_id: int) -> str:
    """The number that was texted: the reply belongs to its conversation, whatever its source."""
    try:
        message = get_message(conn, message_id)
    except NotFound:
        raise InvalidInput(
            "there is no such message", field="in_reply_to", code="not-found"
        ) from None
    if [*checked.numbers] != [message.source] and not checked.faults:
        raise InvalidInput(
            f"a reply goes to the one who sent the message, {message.source}", field="to"
        )
    return message.dest


def _estimate(numbers: Collection[str], parts: int) -> int | None:
    """None for a list or group, whose numbers nobody knows."""
    return sum(estimate_credits(number, parts) for number in numbers) or None


def warn_of_sender(conn: Connection, cost: int) -> list[str]:
    """What may keep the texts from going out soon."""
    state = get_sender(conn)
    warnings = []
    if state.credits is not None and Decimal(state.credits) < cost:
        warnings.append(
            f"The account had {state.credits} credits left when it was last asked;"
            f" this takes about {cost}"
        )
    if state.state != "running":
        warnings.append(f"Sending is {state.state}: {state.reason or 'no reason was given'}")
    return warnings


def _find_place(field: str) -> int:
    return int(field.partition(".")[2] or 0)
