"""Drafts a text that somebody wants sent: checks its form, as far as that needs no database."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from dataclasses import field as make_field
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from app.domain.errors import Fault, InvalidInput
from app.domain.numbers import read_number
from app.domain.outbound.states import LONGEST_VALIDITY_SECONDS
from app.provider.actions import OutgoingText, SourceTon
from app.provider.limits import check_encodable, check_name, check_text, find_warnings
from app.provider.times import format_schedule

# All of a call is one transaction, and on SQLite one of those that the intake may have to wait for.
MOST_NUMBERS = 100
LONGEST_NAME = 200
# A time further away is a mistake, such as one in milliseconds.
FURTHEST_SCHEDULE = timedelta(days=366)

ScheduleBy = Literal["letterbox", "provider"]


@dataclass(frozen=True, slots=True)
class WantedText:
    """A text as a person writes it: `to` is one or more numbers, or a list or group is named.

    `is_stored`: `to` and `source` come from the database and are not parsed as typed numbers.

    `force` only sends to numbers that have opted out. `schedule_by` says who keeps the schedule;
    None means Letterbox.
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
    reference: str | None = None
    metadata: Mapping[str, str] = make_field(default_factory=dict)
    force: bool = False
    is_stored: bool = False


@dataclass(frozen=True, slots=True)
class Draft:
    """A wanted text whose form is right, but for the numbers in `faults`."""

    wanted: WantedText
    source: str
    numbers: tuple[str, ...]
    fields: tuple[str, ...]
    faults: tuple[Fault, ...]
    warnings: tuple[str, ...]


def digest_wanted(wanted: WantedText) -> bytes:
    """Tells two requests apart that came with one Idempotency-Key."""
    given = asdict(wanted)
    del given["is_stored"]
    for name in ("reference", "metadata"):
        # A request of before there were such fields is still the same one.
        if not given[name]:
            del given[name]
    fields = json.dumps(given, sort_keys=True, default=datetime.isoformat)
    return hashlib.sha256(fields.encode("utf-8", "surrogatepass")).digest()


def draft_text(wanted: WantedText, region: str, zone: ZoneInfo, now: datetime) -> Draft:
    """What can be known at once about a wanted text: its numbers and source as digits, and
    warnings.

    Numbers that are off are left to be named with those that opted out. `region` says how national
    numbers are read, `zone` is the provider's. Raises InvalidInput for everything else.
    """
    named = [each for each in (wanted.to, wanted.list_name, wanted.group_name) if each is not None]
    if len(named) != 1:
        raise InvalidInput("name one of to, list and group", field="to")
    if wanted.source_ton not in {None, *SourceTon}:
        raise InvalidInput("write 1 (international) or 5 (alphanumeric)", field="source_ton")
    source = wanted.source
    if not wanted.is_stored:
        source = read_source(source, wanted.source_ton, region)
    _check_schedule(wanted, zone, now)
    ton = None if wanted.source_ton is None else SourceTon(wanted.source_ton)
    text = OutgoingText(source, wanted.body, wanted.validity_seconds, wanted.schedule_at, ton)
    check_text(text)
    _check_characters(wanted)
    warnings = list(find_warnings(text))
    numbers, faults = _read_numbers(wanted, region)
    if wanted.to is None:
        warnings += _check_group(wanted)
    return Draft(
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


def _read_numbers(wanted: WantedText, region: str) -> tuple[dict[str, str], list[Fault]]:
    """Each number once, with the field that it stood in; and which fields hold none."""
    to = wanted.to
    if to is None:
        return {}, []
    written = {"to": to} if isinstance(to, str) else {f"to.{i}": each for i, each in enumerate(to)}
    if not 1 <= len(written) <= MOST_NUMBERS:
        raise InvalidInput(f"send to 1 to {MOST_NUMBERS} numbers at once", field="to")
    numbers: dict[str, str] = {}
    faults = []
    for field, text in written.items():
        try:
            numbers.setdefault(text if wanted.is_stored else read_number(text, region), field)
        except InvalidInput as error:
            faults.append(Fault(field, str(error), error.code))
    return numbers, faults
