"""Composes texts that a person or program wants sent: checks them, and queues all or none."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from app.domain.errors import Fault, InvalidFields, InvalidInput, NotFound
from app.domain.inbound.messages import make_pair_key
from app.domain.outbound.credits import estimate_credits
from app.domain.outbound.gsm import measure_text
from app.flows.outbound.draft import Draft, WantedText, draft_text
from app.storage.access.audit import add_audit
from app.storage.conversations.conversations import open_conversations
from app.storage.db.database import Connection, Database
from app.storage.inbound.search import get_message
from app.storage.operations.events import add_events
from app.storage.operations.idempotency import Once, begin_once, find_answer, keep_answer
from app.storage.outbound.outbox import NewOutbound, add_batch, queue_texts
from app.storage.outbound.sender import get_sender
from app.storage.outbound.texts import OutboundText, get_outbounds
from app.storage.rules.opt_outs import find_opted_out


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
    database: Database, wanted: WantedText, *, region: str, zone: ZoneInfo, now: datetime
) -> Look:
    """What composing it would do, and to whom, so that a person sees that before it goes.

    Raises InvalidInput as `compose_text` does, but for numbers that have opted out.
    """
    draft = draft_text(wanted, region, zone, now)
    if draft.faults:
        raise InvalidFields(draft.faults)
    parts = len(measure_text(wanted.body).parts)

    def look(conn: Connection) -> Look:
        out = find_opted_out(conn, draft.numbers) if draft.numbers else frozenset()
        cost = sum(estimate_credits(each, parts) for each in draft.numbers if each not in out)
        return Look(
            draft.source,
            draft.numbers,
            tuple(each for each in draft.numbers if each in out),
            cost or None,
            [*draft.warnings, *_warn_of_sender(conn, cost or parts)],
        )

    return await database.read(look)


async def compose_text(
    database: Database,
    wanted: WantedText,
    *,
    who: str,
    region: str,
    zone: ZoneInfo,
    now: datetime,
) -> Queued:
    """Queue a text to each number, or to a list or group, whoever `who` is.

    `region` says how national numbers are read, `zone` is the provider's. Raises InvalidInput:
    where numbers are off or have opted out, nothing is queued and each of them is named.
    """
    draft = draft_text(wanted, region, zone, now)
    return await database.write(_queue, draft, who, now)


async def compose_once(
    database: Database,
    wanted: WantedText,
    once: Once | None,
    render: Callable[[Queued], Mapping[str, Any]],
    *,
    who: str,
    region: str,
    zone: ZoneInfo,
    now: datetime,
) -> Composed:
    """The same for a program: `render` makes its answer, which the same key gets again for a day.

    Where a request fails, its key is as good as new. Raises ReusedKey and InFlight besides.
    """
    if once is not None:
        # What was right then may be wrong by now: the first answer stands nevertheless.
        known = await database.read(find_answer, once, now)
        if known is not None:
            return Composed(known, is_replayed=True)
    draft = draft_text(wanted, region, zone, now)

    def queue_once(conn: Connection) -> Composed:
        known = None if once is None else begin_once(conn, once, now)
        if known is not None:
            return Composed(known, is_replayed=True)
        answer = render(_queue(conn, draft, who, now))
        if once is not None:
            keep_answer(conn, once, answer, now)
        return Composed(answer)

    return await database.write(queue_once)


def _queue(conn: Connection, draft: Draft, who: str, now: datetime) -> Queued:
    """Everything in the caller's transaction, which an error undoes."""
    wanted = draft.wanted
    conversation_ids = _open_conversations(conn, draft, now)
    opted_out = find_opted_out(conn, draft.numbers)
    faults = list(draft.faults)
    if not wanted.force:
        faults += [
            Fault(field, f"{number} has opted out of texts", "opted-out")
            for number, field in zip(draft.numbers, draft.fields, strict=True)
            if number in opted_out
        ]
    if faults:
        raise InvalidFields(sorted(faults, key=lambda fault: _find_place(fault.field)))
    batch_id = add_batch(conn, who, now) if len(draft.numbers) > 1 else None
    texts = [
        _make_new(draft, number, conversation_ids[number], batch_id, forced=number in opted_out)
        for number in draft.numbers
    ]
    texts = texts or [_make_new(draft, None, None, None, forced=False)]
    ids = queue_texts(conn, texts, who, now)
    parts = len(measure_text(wanted.body).parts)
    cost = sum(estimate_credits(number, parts) for number in draft.numbers) or None
    warnings = [*draft.warnings, *_warn_of_sender(conn, cost or parts)]
    _audit(conn, draft, ids, opted_out, who, now)
    found = get_outbounds(conn, ids)
    add_events(conn, [("outbound", each) for each in ids], now)
    return Queued([found[each] for each in ids], parts, cost, warnings)


def _open_conversations(conn: Connection, draft: Draft, now: datetime) -> dict[str, int]:
    """Lock the conversation of each number, before anything of theirs is looked at."""
    ours = draft.source
    if draft.wanted.in_reply_to is not None:
        ours = _find_answered(conn, draft, draft.wanted.in_reply_to)
    if not draft.numbers:
        return {}
    found = open_conversations(conn, [(ours, number) for number in draft.numbers], now)
    return {number: found[make_pair_key(ours, number)] for number in draft.numbers}


def _find_answered(conn: Connection, draft: Draft, message_id: int) -> str:
    """The number that was texted: the reply stands in that conversation, whatever its source."""
    try:
        message = get_message(conn, message_id)
    except NotFound:
        raise InvalidInput(
            "there is no such message", field="in_reply_to", code="not-found"
        ) from None
    if draft.numbers != (message.source,) and not draft.faults:
        raise InvalidInput(
            f"a reply goes to the one who sent the message, {message.source}", field="to"
        )
    return message.dest


def _make_new(
    draft: Draft,
    number: str | None,
    conversation_id: int | None,
    batch_id: int | None,
    *,
    forced: bool,
) -> NewOutbound:
    wanted = draft.wanted
    schedule_by = wanted.schedule_by or "letterbox"
    return NewOutbound(
        source=draft.source,
        body=wanted.body,
        origin="person",
        to=number,
        list_name=wanted.list_name,
        group_name=wanted.group_name,
        conversation_id=conversation_id,
        source_ton=wanted.source_ton,
        in_reply_to=wanted.in_reply_to,
        batch_id=batch_id,
        forced=forced,
        schedule_at=wanted.schedule_at,
        schedule_by=None if wanted.schedule_at is None else schedule_by,
        validity_seconds=wanted.validity_seconds,
        reference=wanted.reference,
        metadata=wanted.metadata,
    )


def _warn_of_sender(conn: Connection, cost: int) -> list[str]:
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


def _audit(
    conn: Connection,
    draft: Draft,
    ids: Sequence[int],
    opted_out: frozenset[str],
    who: str,
    now: datetime,
) -> None:
    """One entry a call, for the first of its texts; `forced` names those who had opted out."""
    wanted = draft.wanted
    whom = wanted.list_name or wanted.group_name or ", ".join(draft.numbers)
    detail: dict[str, Any] = {"to": whom, "source": draft.source, "count": len(ids)}
    if opted_out:
        detail["forced"] = sorted(opted_out)
    add_audit(conn, who, "outbound.create", str(ids[0]), detail, now)


def _find_place(field: str) -> int:
    return int(field.partition(".")[2] or 0)
