"""Checks a request to send, as far as that needs no database."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from app.domain.errors import Fault, InvalidInput
from app.domain.numbers import read_number
from app.domain.outbound.recipients import read_recipient
from app.domain.outbound.requests import OutboundRequest, SourceTon
from app.provider.limits import (
    check_body,
    check_encodable,
    check_name,
    check_sending,
    find_warnings,
)
from app.provider.times import format_schedule

# A request is one transaction; on SQLite, incoming messages may have to wait for it.
MOST_NUMBERS = 100
LONGEST_NAME = 200
# A time further away is a mistake, such as one in milliseconds.
FURTHEST_SCHEDULE = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Checked:
    """A request that is valid except for `faults`, with its numbers as digits.

    `numbers` gives the field that each number was in.
    """

    request: OutboundRequest
    numbers: dict[str, str]
    faults: list[Fault]
    warnings: list[str]


def check_request(request: OutboundRequest, region: str, zone: ZoneInfo, now: datetime) -> Checked:
    """Check a request and normalise its numbers and source.

    Invalid numbers become faults, to be reported together with numbers that have opted out.
    `region` says how national numbers are read, `zone` is the provider's. Raises InvalidInput for
    everything else.
    """
    named = (request.to, request.list_name, request.group_name)
    if sum(each is not None for each in named) != 1:
        raise InvalidInput("name one of to, list and group", field="to")
    request = check_options(request, region, zone, now)
    check_body(request.body)
    warnings = find_warnings(request)
    numbers, faults = _read_numbers(request, region)
    if request.to is None:
        warnings += _check_group(request)
    return Checked(request, numbers, faults, warnings)


def check_options(
    request: OutboundRequest, region: str, zone: ZoneInfo, now: datetime
) -> OutboundRequest:
    """Check everything but the numbers and the body; returns it with its source normalised.

    Raises InvalidInput.
    """
    if request.source_ton not in {None, *SourceTon}:
        raise InvalidInput("write 1 (international) or 5 (alphanumeric)", field="source_ton")
    if not request.is_stored:
        request = replace(request, source=_read_source(request, region))
    check_schedule(request.schedule_at, request.schedule_by, zone, now)
    check_sending(request)
    _check_characters(request)
    return request


def _read_source(request: OutboundRequest, region: str) -> str:
    """A full number becomes its digits, however it is written; any other source stays as it is."""
    if request.source_ton == SourceTon.ALPHANUMERIC:
        return request.source
    try:
        return read_number(request.source, region)
    except InvalidInput:  # a name or a short code
        return request.source


def check_schedule(
    schedule_at: datetime | None, schedule_by: str | None, zone: ZoneInfo, now: datetime
) -> None:
    """Raises InvalidInput."""
    if schedule_at is None:
        if schedule_by is not None:
            raise InvalidInput("schedule_by needs schedule_at", field="schedule_by")
        return
    if not now < schedule_at <= now + FURTHEST_SCHEDULE:
        raise InvalidInput(
            "this time has passed, or is more than a year ahead", field="schedule_at"
        )
    if schedule_by == "provider":
        format_schedule(schedule_at, zone)


def _check_characters(request: OutboundRequest) -> None:
    for field, value in (
        ("source", request.source),
        ("body", request.body),
        ("list", request.list_name or ""),
        ("group", request.group_name or ""),
    ):
        if "\0" in value:
            raise InvalidInput("it holds a NUL character, which no text can", field=field)
        check_encodable([value])


def _check_group(request: OutboundRequest) -> list[str]:
    """Check the name of a list or group; returns a warning about what cannot be known of it."""
    field = "group" if request.list_name is None else "list"
    name = request.list_name or request.group_name or ""
    check_name(name, field)
    if len(name) > LONGEST_NAME:
        raise InvalidInput(f"no {field} has a name of {len(name)} characters", field=field)
    if request.in_reply_to is not None:
        raise InvalidInput("a reply goes to one number", field="in_reply_to")
    warning = f"Only the provider knows the numbers of a {field}: opt-outs cannot be checked"
    return [f"{warning}, nor what it costs"]


def _read_numbers(request: OutboundRequest, region: str) -> tuple[dict[str, str], list[Fault]]:
    """Each number once, with its field; and the fields that hold no number."""
    to = request.to
    if to is None:
        return {}, []
    written = {"to": to} if isinstance(to, str) else {f"to.{i}": each for i, each in enumerate(to)}
    if not 1 <= len(written) <= MOST_NUMBERS:
        raise InvalidInput(f"send to 1 to {MOST_NUMBERS} numbers at once", field="to")
    numbers: dict[str, str] = {}
    faults = []
    # Whoever has texted us has a number, however many digits that has.
    read = read_recipient if request.in_reply_to is None else read_number
    for field, text in written.items():
        try:
            numbers.setdefault(text if request.is_stored else read(text, region), field)
        except InvalidInput as error:
            faults.append(Fault(field, str(error), error.code))
    return numbers, faults
