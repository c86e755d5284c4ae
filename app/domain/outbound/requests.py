"""A text that somebody wants sent, before it is queued."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any, Literal

from app.domain.outbound.states import LONGEST_VALIDITY_SECONDS, Origin

ScheduleBy = Literal["letterbox", "provider"]
# These came later: a request without them has the digest that it always had.
_LEFT_OUT_WHERE_EMPTY = ("reference", "metadata")
_NOT_DIGESTED = ("is_stored", "origin", "rule_id", "send_before")


class SourceTon(IntEnum):
    """The type of number of a source address."""

    INTERNATIONAL = 1
    ALPHANUMERIC = 5


@dataclass(frozen=True, slots=True)
class OutgoingText:
    """What the provider is told of a text, except whom it goes to."""

    source: str
    body: str
    validity_seconds: int = LONGEST_VALIDITY_SECONDS
    schedule_at: datetime | None = None
    source_ton: int | None = None


@dataclass(frozen=True, slots=True)
class OutboundRequest(OutgoingText):
    """A text to queue: `to` is one or more numbers, or a list or group is named.

    `schedule_by` says who keeps the schedule; None means Letterbox. `force` only sends to numbers
    that have opted out. `is_stored`: `to` and `source` come from the database and are not parsed as
    typed numbers. An automatic text (`origin` other than person) answers `in_reply_to`. None is
    sent after `send_before`, nor after its validity, which begins when it is queued or scheduled.
    """

    to: str | Sequence[str] | None = None
    list_name: str | None = None
    group_name: str | None = None
    schedule_by: ScheduleBy | None = None
    in_reply_to: int | None = None
    reference: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    force: bool = False
    is_stored: bool = False
    origin: Origin = "person"
    rule_id: int | None = None
    send_before: datetime | None = None


def digest_request(request: OutboundRequest) -> bytes:
    """Tells two requests apart that came with one Idempotency-Key."""
    return _digest(_list_given(request))


def digest_batch(
    request: OutboundRequest, rows: Sequence[Sequence[str]], *, skip_invalid: bool
) -> bytes:
    """The same for a batch of rows."""
    given = _list_given(request)
    return _digest({**given, "rows": [*map(list, rows)], "skip_invalid": skip_invalid})


def _list_given(request: OutboundRequest) -> dict[str, Any]:
    given = asdict(request)
    for name in _NOT_DIGESTED:
        del given[name]
    for name in _LEFT_OUT_WHERE_EMPTY:
        if not given[name]:
            del given[name]
    return given


def _digest(given: Mapping[str, Any]) -> bytes:
    fields = json.dumps(given, sort_keys=True, default=datetime.isoformat)
    return hashlib.sha256(fields.encode("utf-8", "surrogatepass")).digest()
