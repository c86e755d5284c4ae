"""The addresses that notifications go to: what each gets, how far it is, and what went wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, delete, insert, select, update

from app.domain.errors import Conflict, NotFound
from app.domain.operations.notify_addresses import (
    Masked,
    Schedule,
    Wishes,
    begin_summaries,
    find_pause,
)
from app.storage.operations.events import read_event_bounds
from app.storage.operations.leases import forget_lease
from app.storage.tables.operations import notify_addresses

MOST_ADDRESSES = 50
# The attempts that must fail in a row before it is an alert: a single one is often bad luck.
ALERTED_FAILURES = 2

Source = Literal["page", "settings"]


@dataclass(frozen=True, slots=True)
class NotifyAddress:
    """`sealed` is None for one from NOTIFY. `alerts_after` and `texts_after` are ids of events.

    `failures` are in a row; one that is in progress counts until it succeeds.
    """

    id: int
    source: Source
    digest: bytes = field(repr=False)
    sealed: bytes | None = field(repr=False)
    masked: Masked
    wishes: Wishes
    is_enabled: bool
    summary_on: str | None
    alerts_after: int
    texts_after: int
    is_test_due: bool
    failures: int
    next_at: datetime | None
    sent_at: datetime | None
    last_error: str
    created_at: datetime

    @property
    def schedule(self) -> Schedule:
        return Schedule(self.wishes, self.sent_at, self.next_at, self.summary_on)

    @property
    def subject(self) -> str:
        """Which one, in alerts and in the audit trail."""
        return f"{self.masked} #{self.id}"

    @property
    def lease(self) -> str:
        """The lease of the process that sends to it."""
        return make_lease_name(self.id)


@dataclass(frozen=True, slots=True)
class Progress:
    """What a message told: the events up to these ids, and the summary of a day."""

    alerts_after: int
    texts_after: int
    summary_on: str | None


def make_lease_name(address_id: int) -> str:
    return f"notify {address_id}"


def list_addresses(conn: Connection) -> list[NotifyAddress]:
    """In the order in which they were added."""
    query = select(notify_addresses).order_by(notify_addresses.c.id)
    return [_make_address(row) for row in conn.execute(query)]


def get_address(conn: Connection, address_id: int) -> NotifyAddress:
    """Raises NotFound."""
    query = select(notify_addresses).where(notify_addresses.c.id == address_id)
    row = conn.execute(query).one_or_none()
    if row is None:
        raise NotFound("no such notification address")
    return _make_address(row)


def add_address(
    conn: Connection,
    masked: Masked,
    digest: bytes,
    wishes: Wishes,
    now: datetime,
    *,
    sealed: bytes | None,
    source: Source = "page",
) -> NotifyAddress:
    """It hears of what happens from now on. Raises Conflict where it is known already."""
    known = list_addresses(conn)
    if any(each.digest == digest for each in known):
        raise Conflict("this address is on the list already")
    if source == "page" and len(known) >= MOST_ADDRESSES:
        raise Conflict(f"there are {MOST_ADDRESSES} addresses already: remove one first")
    _, newest = read_event_bounds(conn)
    values = {
        "source": source,
        "digest": digest,
        "sealed": sealed,
        **asdict(masked),
        **_write_wishes(wishes),
        "is_enabled": True,
        "summary_on": begin_summaries(wishes, now),
        "alerts_after": newest,
        "texts_after": newest,
        "is_test_due": False,
        "failures": 0,
        "last_error": "",
        "created_at": now,
    }
    made = insert(notify_addresses).values(values).returning(notify_addresses.c.id)
    return get_address(conn, conn.execute(made).scalar_one())


def change_wishes(conn: Connection, address_id: int, wishes: Wishes, now: datetime) -> None:
    """What is new in the wishes begins now: nothing of the past is sent."""
    old = get_address(conn, address_id)
    _, newest = read_event_bounds(conn)
    values = _write_wishes(wishes)
    if wishes.alerts and not old.wishes.alerts:
        values["alerts_after"] = newest
    if wishes.texts and not old.wishes.texts:
        values["texts_after"] = newest
    if (wishes.summary_at, wishes.zone) != (old.wishes.summary_at, old.wishes.zone):
        values["summary_on"] = begin_summaries(wishes, now)
    _write(conn, address_id, values)


def enable_address(conn: Connection, address_id: int, now: datetime) -> None:
    """Begin again, without what happened while it was disabled."""
    address = get_address(conn, address_id)
    if address.is_enabled:
        return
    _, newest = read_event_bounds(conn)
    values = {
        "is_enabled": True,
        "alerts_after": newest,
        "texts_after": newest,
        "summary_on": begin_summaries(address.wishes, now),
        "failures": 0,
        "next_at": None,
    }
    _write(conn, address_id, values)


def disable_address(conn: Connection, address_id: int) -> None:
    """Send nothing to it. Raises NotFound."""
    get_address(conn, address_id)
    _write(conn, address_id, {"is_enabled": False, "is_test_due": False})


def remove_address(conn: Connection, address_id: int) -> None:
    conn.execute(delete(notify_addresses).where(notify_addresses.c.id == address_id))
    forget_lease(conn, make_lease_name(address_id))


def request_test(conn: Connection, address_id: int) -> None:
    """Have a worker send a test message at once, whatever failed before."""
    _write(conn, address_id, {"is_test_due": True, "next_at": None})


def set_configured(
    conn: Connection, configured: Mapping[bytes, Masked], now: datetime
) -> Sequence[NotifyAddress]:
    """Make the list hold exactly these of NOTIFY; returns those that were removed.

    One that is on the page already stays as it is there.
    """
    known = list_addresses(conn)
    gone = [each for each in known if each.source == "settings" and each.digest not in configured]
    for each in gone:
        remove_address(conn, each.id)
    digests = {each.digest for each in known}
    for digest, masked in configured.items():
        if digest not in digests:
            add_address(conn, masked, digest, Wishes(), now, sealed=None, source="settings")
    return gone


def begin_attempt(conn: Connection, address: NotifyAddress, now: datetime) -> None:
    """Count it as failed until it succeeds: after kill -9 it is tried again, with a pause."""
    failures = address.failures + 1
    values = {"failures": failures, "next_at": now + find_pause(failures), "is_test_due": False}
    _write(conn, address.id, values)


def note_sent(conn: Connection, address_id: int, progress: Progress, now: datetime) -> None:
    values = asdict(progress) | {"failures": 0, "next_at": None, "last_error": "", "sent_at": now}
    _write(conn, address_id, values)


def note_tested(conn: Connection, address_id: int) -> None:
    """A test says nothing of what else there is, and does not delay it."""
    _write(conn, address_id, {"failures": 0, "next_at": None, "last_error": ""})


def note_failed(conn: Connection, address_id: int, error: str) -> None:
    _write(conn, address_id, {"last_error": error})


def advance(conn: Connection, address_id: int, progress: Progress) -> None:
    """Go on behind events that it need not hear of."""
    _write(conn, address_id, asdict(progress))


def _write(conn: Connection, address_id: int, values: Mapping[str, Any]) -> None:
    table = notify_addresses.c
    conn.execute(update(notify_addresses).where(table.id == address_id).values(**values))


def _write_wishes(wishes: Wishes) -> dict[str, Any]:
    return asdict(wishes) | {"numbers": list(wishes.numbers)}


def _make_address(row: Row[Any]) -> NotifyAddress:
    return NotifyAddress(
        row.id,
        row.source,
        row.digest,
        row.sealed,
        Masked(row.kind, row.tail, name=row.name),
        Wishes(
            row.alerts,
            row.texts,
            tuple(row.numbers),
            row.quiet_from,
            row.quiet_until,
            row.summary_at,
            row.zone,
        ),
        row.is_enabled,
        row.summary_on,
        row.alerts_after,
        row.texts_after,
        row.is_test_due,
        row.failures,
        row.next_at,
        row.sent_at,
        row.last_error,
        row.created_at,
    )
