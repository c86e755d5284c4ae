"""What the messages of one Send share: source, body, validity and schedule, read and checked."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from app.simulator.actions.calls import Call
from app.simulator.actions.codes import RefusedError
from app.simulator.actions.magic import magic_code
from app.simulator.actions.phones import looks_numeric, read_source_number
from app.simulator.state.gsm import Encoding, choose_encoding, is_gsm, split_parts

_LONGEST_BODY = 459
_LONGEST_NAME = 11
_LONGEST_VALIDITY = 86400
_SOURCE_CODES = frozenset({-402, -403, -506, -518})
_HOME = "44"


@dataclass(frozen=True, slots=True)
class Draft:
    """What all messages of one Send share; `schedule_at` None means at once."""

    source: str
    body: str
    parts: int
    encoding: Encoding
    validity_seconds: int
    schedule_at: datetime | None
    background_id: int | None = None

    def cost(self, destination: str, foreign_cost: Decimal) -> Decimal:
        """Credits for one message: its parts, at a higher price abroad."""
        each = Decimal(1) if destination.startswith(_HOME) else foreign_cost
        return each * self.parts


def read_draft(call: Call) -> Draft:
    """Read and check everything in a Send except its destination; raises RefusedError."""
    source = _read_source(call)
    body = _read_body(call)
    return Draft(
        source=source,
        body=body,
        parts=len(split_parts(body)),
        encoding=choose_encoding(body),
        validity_seconds=_read_validity(call),
        schedule_at=_read_schedule(call),
    )


def _read_source(call: Call) -> str:
    source, ton = call.text("SourceAddress").strip(), call.text("SourceTON").strip()
    if not source:
        raise RefusedError(call.switches.blank_source_code)
    code = magic_code(source) if call.switches.magic_numbers else None
    if code in _SOURCE_CODES:
        raise RefusedError(code)
    if ton not in ("", "1", "5"):
        raise RefusedError(-507)
    source = _read_number(source) if _is_number(source, ton) else _read_name(source)
    allowed = call.account.allowed_sources
    if allowed is not None and source not in allowed:
        raise RefusedError(-506)
    return source


def _is_number(source: str, ton: str) -> bool:
    return ton == "1" or (ton == "" and looks_numeric(source))


def _read_number(source: str) -> str:
    number = read_source_number(source)
    if number is None:
        raise RefusedError(-403)
    return number


def _read_name(source: str) -> str:
    if len(source) > _LONGEST_NAME:
        raise RefusedError(-402)
    if not is_gsm(source):
        raise RefusedError(-518)
    return source


def _read_body(call: Call) -> str:
    body = call.text("Body")
    if not body.strip():
        raise RefusedError(call.switches.blank_body_code)
    if len(body) > _LONGEST_BODY:
        if call.switches.long_body == "refuse":
            raise RefusedError(-507)
        body = body[:_LONGEST_BODY]
    return body


def _read_validity(call: Call) -> int:
    text = call.text("ValidityPeriod").strip()
    if not text and not call.switches.validity_required:
        return call.switches.default_validity_seconds
    if not text.isascii() or not text.isdecimal() or len(text) > len(str(_LONGEST_VALIDITY)):
        raise RefusedError(-405)
    if not 0 < int(text) <= _LONGEST_VALIDITY:
        raise RefusedError(-405)
    return int(text)


def _read_schedule(call: Call) -> datetime | None:
    if not call.text("ScheduleDate").strip():
        return None
    schedule_at = call.instant("ScheduleDate", -407)
    if schedule_at <= call.now:
        if call.switches.past_schedule == "refuse":
            raise RefusedError(-407)
        return None
    return schedule_at
