"""Apprise addresses, which hold secrets: how they are written, masked, and when they are due."""

import re
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from urllib.parse import unquote, unquote_plus
from zoneinfo import ZoneInfo

from app.domain.errors import InvalidInput
from app.domain.rules.hours import is_within_hours, is_zone

MAX_LENGTH = 2000
LONGEST_NAME = 60
# At most one message in this time; what else there is comes as one digest.
INTERVAL = timedelta(minutes=5)
# The pause after each failure in a row; the last one repeats.
PAUSES = tuple(timedelta(seconds=seconds) for seconds in (15, 60, 300, 900, 3600))

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)
# A comma also stands inside of addresses.
_BETWEEN = re.compile(r"[\s,]+(?=[a-z][a-z0-9+.-]*://)", re.IGNORECASE)
_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_TAIL = 4
# A shorter address would be half shown.
_SHORTEST_WITH_TAIL = 16


@dataclass(frozen=True, slots=True)
class Wishes:
    """What an address gets. `numbers` are ours whose texts it hears of, none for all of them.

    Times of day are `HH:MM` in `zone`; None: no quiet hours, no summary.
    """

    alerts: bool = True
    texts: bool = False
    numbers: tuple[str, ...] = ()
    quiet_from: str | None = None
    quiet_until: str | None = None
    summary_at: str | None = None
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Schedule:
    """What decides when an address gets its next message."""

    wishes: Wishes
    sent_at: datetime | None = None
    next_at: datetime | None = None
    summary_on: str | None = None


@dataclass(frozen=True, slots=True)
class Masked:
    """What may be shown of an address: its service, and its last characters or ""."""

    kind: str
    tail: str
    name: str = field(default="", kw_only=True)

    def __str__(self) -> str:
        shown = f"{self.kind}://…{self.tail}"
        return f"{self.name} ({shown})" if self.name else shown


def split_addresses(text: str) -> tuple[str, ...]:
    """Addresses with spaces or commas between them. Raises ValueError, which repeats none."""
    found = [each.strip(" \t\r\n,") for each in _BETWEEN.split(text.strip(" \t\r\n,")) if each]
    for place, address in enumerate(found, start=1):
        if not is_address(address):
            raise ValueError(f"address {place} is none: write it like mailto://user:password@host")
    return tuple(dict.fromkeys(found))


def is_address(text: str) -> bool:
    """Whether it has the form of one; only Apprise knows which services there are."""
    return len(text) <= MAX_LENGTH and _ADDRESS.fullmatch(text) is not None


def read_address(text: str) -> str:
    """One address, as somebody typed it. Raises InvalidInput, which does not repeat it."""
    address = text.strip()
    if not is_address(address):
        raise InvalidInput(
            "write an Apprise address, such as mailto://user:password@example.com", field="address"
        )
    return address


def mask_address(address: str, name: str = "") -> Masked:
    """Its service and its last characters."""
    kind, _, rest = address.partition("://")
    shown = rest.partition("?")[0].rstrip("/")
    tail = shown[-_TAIL:] if len(shown) >= _SHORTEST_WITH_TAIL else ""
    return Masked(kind.lower(), tail, name=name)


def scrub(text: str, address: str) -> str:
    """A text without anything that may be a secret of the address, such as an error of Apprise."""
    _, _, rest = address.partition("://")
    parts = {rest, *re.split(r"[:/@?&=,#]+", rest)}
    # Services see an address as it is meant, not as it is written.
    parts |= {unquote(part) for part in parts} | {unquote_plus(part) for part in parts}
    for part in sorted(parts, key=len, reverse=True):
        if len(part) >= _TAIL:
            text = re.sub(re.escape(part), "…", text, flags=re.IGNORECASE)
    return text


def check_wishes(wishes: Wishes) -> None:
    """Raises InvalidInput, which names the field."""
    for name in ("quiet_from", "quiet_until", "summary_at"):
        value = getattr(wishes, name)
        if value is not None and not _TIME.fullmatch(value):
            raise InvalidInput("write a time of day like 08:00", field=name)
    if (wishes.quiet_from is None) != (wishes.quiet_until is None):
        missing = "quiet_from" if wishes.quiet_from is None else "quiet_until"
        raise InvalidInput("quiet hours need a beginning and an end", field=missing)
    if wishes.quiet_from is not None and wishes.quiet_from == wishes.quiet_until:
        raise InvalidInput("nothing lies between these hours", field="quiet_until")
    if not is_zone(wishes.zone):
        raise InvalidInput("no such time zone; write one like Europe/London", field="zone")
    if not (wishes.alerts or wishes.texts or wishes.summary_at):
        raise InvalidInput("choose at least one thing to send", field="alerts")


def is_quiet(wishes: Wishes, now: datetime) -> bool:
    """Whether texts are held back now; alerts never are."""
    return wishes.quiet_from is not None and is_within_hours(
        now, ZoneInfo(wishes.zone), days=None, begins=wishes.quiet_from, ends=wishes.quiet_until
    )


def may_send(schedule: Schedule, now: datetime) -> bool:
    """Whether the last message and the last failure are long enough ago.

    A longer wait than there can be means that the clock was set back.
    """
    rest = timedelta() if schedule.sent_at is None else schedule.sent_at + INTERVAL - now
    wait = timedelta() if schedule.next_at is None else schedule.next_at - now
    return not timedelta() < rest <= INTERVAL and not timedelta() < wait <= PAUSES[-1]


def find_pause(failures: int) -> timedelta:
    """How long to wait after so many failures in a row."""
    return PAUSES[min(max(failures, 1), len(PAUSES)) - 1]


def find_summary_day(schedule: Schedule, now: datetime) -> date | None:
    """The local day whose summary is due; None while there is none."""
    wishes = schedule.wishes
    if wishes.summary_at is None:
        return None
    local = now.astimezone(ZoneInfo(wishes.zone))
    is_time = local.time() >= time.fromisoformat(wishes.summary_at)
    # A later day than today means that the clock was set back.
    return local.date() if is_time and schedule.summary_on != local.date().isoformat() else None


def begin_summaries(wishes: Wishes, now: datetime) -> str | None:
    """What counts as the last summary of a new wish: today's, if its time has passed."""
    day = find_summary_day(Schedule(wishes), now)
    return None if day is None else day.isoformat()


def describe_wishes(wishes: Wishes) -> str:
    """In a few words, for lists."""
    parts = ["alerts"] if wishes.alerts else []
    if wishes.texts:
        which = f" to {', '.join(wishes.numbers)}" if wishes.numbers else ""
        quiet = (
            f", not from {wishes.quiet_from} to {wishes.quiet_until} ({wishes.zone})"
            if wishes.quiet_from
            else ""
        )
        parts.append(f"texts that need an answer{which}{quiet}")
    if wishes.summary_at:
        parts.append(f"a summary at {wishes.summary_at} ({wishes.zone})")
    return "; ".join(parts)
