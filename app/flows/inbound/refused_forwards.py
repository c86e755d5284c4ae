"""Forwards that were refused: kept within bounds that no flood exceeds, and alerted where one of
our numbers may be losing texts.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta

from app.storage.access.numbers import find_configured
from app.storage.db.database import Connection
from app.storage.inbound.last_seen import find_last_arrival, has_arrivals
from app.storage.inbound.refusals import NewRefusal
from app.storage.operations.alerts import Alert, list_open_alerts, raise_alert

# The caller chooses their content.
MAX_TEXT = 64
# This many rows at once, then one every ten seconds, so that the stored rows cover a day of any
# flood. Further refusals are counted together.
ROOM = 50
ROOM_SECONDS = 10
MANY = "many"
MANY_STEP = timedelta(minutes=10)
# Each may have rows and an alert of its own.
MAX_VOUCHED = 100

REFUSED_FORWARD = "forward-refused"
# The subject before the first text has arrived, whatever its number.
FIRST = "first-forward"
# An accepted forward closes the alert once none has been refused for this long.
QUIET = timedelta(minutes=10)
REASONS = {
    "wrong-auth": "its auth value is wrong",
    "missing-auth": "it has no auth value",
    "forwarder": "its address is not in LETTERBOX_FORWARDERS",
    "untrusted-proxy": "it came through a proxy that is not in LETTERBOX_TRUSTED_PROXIES",
    "wrong-path": "its URL does not end in /inbound",
    "wrong-method": "it is neither a GET nor a POST",
}
ACTIONS = {
    "wrong-auth": "Paste the number's auth value into the provider's page again, or create one",
    "missing-auth": "Paste the number's auth value into the provider's page",
    "forwarder": "See /refusals for the address. If it is the provider's own and not that of a"
    " proxy, add it to LETTERBOX_FORWARDERS",
    "untrusted-proxy": "See /refusals for the address. If it is your proxy, and it writes"
    " X-Forwarded-For itself, add it to LETTERBOX_TRUSTED_PROXIES, not to LETTERBOX_FORWARDERS",
    "wrong-path": "Correct the URL in the provider's page: it ends in /inbound",
    "wrong-method": "Choose GET or POST in the provider's page",
}
AFTER = (
    ", then text the number: that closes this alert. Then run `letterbox reconcile` for the time"
    " before, to store what was missed. If you do not know the caller, it is"
    " a stranger, and you need not do anything."
)

Key = tuple[str, str, str]


class RefusalLog:
    """Counts refusals by address, number and reason until they are written down.

    Our own numbers have a separate limit, so that a flood of other refusals hides none of theirs.
    So have those that came with a right auth value (`vouched`).
    """

    def __init__(self, is_ours: Callable[[str], bool]) -> None:
        self._is_configured = is_ours
        self.vouched: frozenset[str] = frozenset()
        self._counts: dict[Key, int] = {}
        self._rooms = {True: _Room(), False: _Room()}
        self._many_due: dict[Key, datetime] = {}

    def vouch_for(self, dest: str) -> None:
        if len(self.vouched) < MAX_VOUCHED:
            self.vouched |= {dest}

    def add(self, address: str, dest: str, reason: str, now: datetime) -> None:
        key = (_clean(address), _clean(dest), reason)
        if key not in self._counts:
            is_ours = self._is_ours(dest)
            if not self._rooms[is_ours].take(now):
                key = (MANY, dest if is_ours else "", reason)
        self._counts[key] = self._counts.get(key, 0) + 1

    def take(self, now: datetime) -> list[NewRefusal]:
        """Return and clear those to be written now."""
        due = [key for key in self._counts if now >= self._many_due.get(key, now)]
        self._many_due |= {key: now + MANY_STEP for key in due if key[0] == MANY}
        return [NewRefusal(now, *key, self._counts.pop(key)) for key in due]

    def _is_ours(self, dest: str) -> bool:
        return self._is_configured(dest) or dest in self.vouched

    def put_back(self, refused: Iterable[NewRefusal]) -> None:
        for each in refused:
            key = (each.address, each.dest, each.reason)
            self._counts[key] = self._counts.get(key, 0) + each.count
            self._many_due.pop(key, None)


class _Room:
    """How many rows may be added now."""

    def __init__(self) -> None:
        self._left = float(ROOM)
        self._looked_at: datetime | None = None

    def take(self, now: datetime) -> bool:
        if self._looked_at is not None:
            gained = max((now - self._looked_at).total_seconds(), 0) / ROOM_SECONDS
            self._left = min(self._left + gained, ROOM)
        self._looked_at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


def report_refused(
    conn: Connection,
    refused: Sequence[NewRefusal],
    now: datetime,
    *,
    vouched: Collection[str] = (),
) -> None:
    """Raise an alert if a forward to one of our numbers was refused, or any forward before the
    first text.

    `vouched` are numbers that came with a right auth value.
    """
    wrong = {each.dest: each for each in refused if each.reason in REASONS and _is_number(each)}
    if not wrong:
        return
    ours = {*find_configured(conn, wrong), *vouched}
    is_first = not has_arrivals(conn)
    for dest, each in wrong.items():
        if dest in ours or is_first:
            raise_alert(
                conn,
                REFUSED_FORWARD,
                dest if dest in ours else FIRST,
                text=f"A forward to {dest} was refused: {REASONS[each.reason]}.",
                action=ACTIONS[each.reason] + AFTER,
                now=now,
                count=sum(other.count for other in refused if other.dest == dest),
            )


def find_mended(conn: Connection, now: datetime) -> list[str]:
    """The subjects of alerts to close, because a forward was accepted since."""
    quiet = [
        each for each in list_open_alerts(conn, REFUSED_FORWARD) if each.updated_at <= now - QUIET
    ]
    return [each.subject for each in quiet if _is_over(conn, each)]


def _is_over(conn: Connection, alert: Alert) -> bool:
    if alert.subject == FIRST:
        return has_arrivals(conn)
    arrived_at = find_last_arrival(conn, alert.subject)
    return arrived_at is not None and arrived_at > alert.updated_at


def _is_number(refusal: NewRefusal) -> bool:
    return refusal.dest.isascii() and refusal.dest.isdecimal()


def _clean(text: str) -> str:
    """Text that any database can store, cut to a row's length."""
    return text[:MAX_TEXT].encode("utf-8", "replace").decode().replace("\0", "")
