"""Composes texts that a person or program wants sent: checks them, and queues all or none."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal
from zoneinfo import ZoneInfo

from app.domain.credits import estimate_credits
from app.domain.errors import InvalidFields, InvalidInput, NotFound
from app.domain.gsm import measure_text
from app.domain.messages import make_pair_key
from app.domain.numbers import read_number
from app.domain.outbound import LONGEST_VALIDITY_SECONDS
from app.provider.actions import OutgoingText, SourceTon
from app.provider.limits import check_encodable, check_name, check_text, find_warnings
from app.provider.times import format_schedule
from app.storage.audit import add_audit
from app.storage.conversations import open_conversations
from app.storage.database import Connection, Database
from app.storage.events import add_events
from app.storage.idempotency import Once, begin_once, find_answer, keep_answer
from app.storage.opt_outs import find_opted_out
from app.storage.outbound_texts import OutboundText, get_outbounds
from app.storage.outbox import NewOutbound, queue_texts
from app.storage.search import get_message
from app.storage.sender import get_sender

# All of a call is one transaction, and on SQLite one of those that the intake may have to wait for.
MOST_NUMBERS = 100
LONGEST_NAME = 200
# A time further away is a mistake, such as one in milliseconds.
FURTHEST_SCHEDULE = timedelta(days=366)

ScheduleBy = Literal["letterbox", "provider"]
Field = tuple[str, str]


@dataclass(frozen=True, slots=True)
class WantedText:
    """A text as people write it: `to` is a number or several, else a list or group is named.

    `force` sends to numbers that have opted out, and does nothing else. `schedule_by` says who
    keeps the schedule: Letterbox where it is None.
    """

    source: str
    body: str
    to: str | Sequence[str] | None = None
    list_name: str | None = None
    group_name: str | None = None
    source_ton: int | None = None
    schedule_at: datetime | None = None
    schedule_by: ScheduleBy | None = None
    validity_seconds: int = LONGEST_VALIDITY_SECONDS
    in_reply_to: int | None = None
    force: bool = False


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


@dataclass(frozen=True, slots=True)
class _Draft:
    """A wanted text whose form is right, but for the numbers in `faults`."""

    wanted: WantedText
    source: str
    numbers: tuple[str, ...]
    fields: tuple[str, ...]
    faults: tuple[Field, ...]
    warnings: tuple[str, ...]


async def look_at_text(
    database: Database, wanted: WantedText, *, region: str, zone: ZoneInfo, now: datetime
) -> Look:
    """What composing it would do, and to whom, so that a person sees that before it goes.

    Raises InvalidInput as `compose_text` does, but for numbers that have opted out.
    """
    draft = _check(wanted, region, zone, now)
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
    draft = _check(wanted, region, zone, now)
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
    draft = _check(wanted, region, zone, now)

    def queue_once(conn: Connection) -> Composed:
        known = None if once is None else begin_once(conn, once, now)
        if known is not None:
            return Composed(known, is_replayed=True)
        answer = render(_queue(conn, draft, who, now))
        if once is not None:
            keep_answer(conn, once, answer, now)
        return Composed(answer)

    return await database.write(queue_once)


def _check(wanted: WantedText, region: str, zone: ZoneInfo, now: datetime) -> _Draft:
    named = [each for each in (wanted.to, wanted.list_name, wanted.group_name) if each is not None]
    if len(named) != 1:
        raise InvalidInput("name one of to, list and group", field="to")
    source = read_source(wanted.source, wanted.source_ton, region)
    _check_schedule(wanted, zone, now)
    ton = None if wanted.source_ton is None else SourceTon(wanted.source_ton)
    text = OutgoingText(source, wanted.body, wanted.validity_seconds, wanted.schedule_at, ton)
    check_text(text)
    _check_characters(wanted)
    warnings = list(find_warnings(text))
    numbers, faults = _read_numbers(wanted.to, region)
    if wanted.to is None:
        warnings += _check_group(wanted)
    return _Draft(
        wanted,
        source,
        tuple(numbers),
        tuple(numbers.values()),
        tuple(faults),
        tuple(warnings),
    )


def read_source(text: str, source_ton: int | None, region: str) -> str:
    """The digits of a full number in whatever form people write it; any other source as it is.

    Whether the provider takes it is not looked at.
    """
    if source_ton == SourceTon.ALPHANUMERIC:
        return text
    try:
        return read_number(text, region)
    except InvalidInput:  # a name or a short code
        return text


def _check_schedule(wanted: WantedText, zone: ZoneInfo, now: datetime) -> None:
    if wanted.schedule_at is None:
        if wanted.schedule_by is not None:
            raise InvalidInput("schedule_by needs schedule_at", field="schedule_by")
        return
    if not now < wanted.schedule_at <= now + FURTHEST_SCHEDULE:
        raise InvalidInput(
            "schedule_at lies in the past, or more than a year ahead", field="schedule_at"
        )
    if wanted.schedule_by == "provider":
        format_schedule(wanted.schedule_at, zone)


def _check_characters(wanted: WantedText) -> None:
    for field, value in (
        ("source", wanted.source),
        ("body", wanted.body),
        ("list", wanted.list_name or ""),
        ("group", wanted.group_name or ""),
    ):
        if "\0" in value:
            raise InvalidInput("it holds a NUL character, which no text can", field=field)
        check_encodable([value])


def _check_group(wanted: WantedText) -> list[str]:
    """The name of a list or group, and what nobody can know of it."""
    field = "group" if wanted.list_name is None else "list"
    name = wanted.list_name or wanted.group_name or ""
    check_name(name, field)
    if len(name) > LONGEST_NAME:
        raise InvalidInput(f"no {field} has a name of {len(name)} characters", field=field)
    if wanted.in_reply_to is not None:
        raise InvalidInput("a reply goes to one number", field="in_reply_to")
    warning = f"Only the provider knows the numbers of a {field}: opt-outs cannot be checked"
    return [f"{warning}, nor what it costs"]


def _read_numbers(
    to: str | Sequence[str] | None, region: str
) -> tuple[dict[str, str], list[Field]]:
    """Each number once, with the field that it stood in; and which fields hold none."""
    if to is None:
        return {}, []
    written = {"to": to} if isinstance(to, str) else {f"to.{i}": each for i, each in enumerate(to)}
    if not 1 <= len(written) <= MOST_NUMBERS:
        raise InvalidInput(f"send to 1 to {MOST_NUMBERS} numbers at once", field="to")
    numbers: dict[str, str] = {}
    faults = []
    for field, text in written.items():
        try:
            numbers.setdefault(read_number(text, region), field)
        except InvalidInput as error:
            faults.append((field, str(error)))
    return numbers, faults


def _queue(conn: Connection, draft: _Draft, who: str, now: datetime) -> Queued:
    """Everything in the caller's transaction, which an error undoes."""
    wanted = draft.wanted
    conversation_ids = _open_conversations(conn, draft, now)
    opted_out = find_opted_out(conn, draft.numbers)
    faults = list(draft.faults)
    if not wanted.force:
        faults += [
            (field, f"{number} has opted out of texts")
            for number, field in zip(draft.numbers, draft.fields, strict=True)
            if number in opted_out
        ]
    if faults:
        raise InvalidFields(sorted(faults, key=lambda fault: _find_place(fault[0])))
    texts = [
        _make_new(draft, number, conversation_ids[number], forced=number in opted_out)
        for number in draft.numbers
    ]
    texts = texts or [_make_new(draft, None, None, forced=False)]
    ids = queue_texts(conn, texts, who, now)
    parts = len(measure_text(wanted.body).parts)
    cost = sum(estimate_credits(number, parts) for number in draft.numbers) or None
    warnings = [*draft.warnings, *_warn_of_sender(conn, cost or parts)]
    _audit(conn, draft, ids, opted_out, who, now)
    found = get_outbounds(conn, ids)
    add_events(conn, "outbound", ids, now)
    return Queued([found[each] for each in ids], parts, cost, warnings)


def _open_conversations(conn: Connection, draft: _Draft, now: datetime) -> dict[str, int]:
    """Lock the conversation of each number, before anything of theirs is looked at."""
    ours = draft.source
    if draft.wanted.in_reply_to is not None:
        ours = _find_answered(conn, draft, draft.wanted.in_reply_to)
    if not draft.numbers:
        return {}
    found = open_conversations(conn, [(ours, number) for number in draft.numbers], now)
    return {number: found[make_pair_key(ours, number)] for number in draft.numbers}


def _find_answered(conn: Connection, draft: _Draft, message_id: int) -> str:
    """The number that was texted: the reply stands in that conversation, whatever its source."""
    try:
        message = get_message(conn, message_id)
    except NotFound:
        raise InvalidInput("there is no such message", field="in_reply_to") from None
    if draft.numbers != (message.source,) and not draft.faults:
        raise InvalidInput(
            f"a reply goes to the one who sent the message, {message.source}", field="to"
        )
    return message.dest


def _make_new(
    draft: _Draft, number: str | None, conversation_id: int | None, *, forced: bool
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
        forced=forced,
        schedule_at=wanted.schedule_at,
        schedule_by=None if wanted.schedule_at is None else schedule_by,
        validity_seconds=wanted.validity_seconds,
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
    draft: _Draft,
    ids: Sequence[int],
    opted_out: frozenset[str],
    who: str,
    now: datetime,
) -> None:
    """One entry a call; `forced` names those who had opted out."""
    wanted = draft.wanted
    whom = wanted.list_name or wanted.group_name or ", ".join(draft.numbers[:3])
    detail: dict[str, Any] = {"source": draft.source, "count": len(ids), "ids": [ids[0], ids[-1]]}
    if opted_out:
        detail["forced"] = sorted(opted_out)
    add_audit(conn, who, "outbound.create", whom, detail, now)


def _find_place(field: str) -> int:
    return int(field.partition(".")[2] or 0)
