"""Forwards that were refused: kept within bounds that no flood exceeds, and alerted where one of
our numbers may be losing texts.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta

from app.storage.alerts import Alert, list_open_alerts, raise_alert
from app.storage.arrivals import find_last_arrival, has_arrivals
from app.storage.database import Connection
from app.storage.numbers import find_configured
from app.storage.refusals import NewRefusal

# A caller chooses what stands in them.
MAX_TEXT = 64
# So many rows at once, and another every ten seconds: the rows that are kept last for a day
# whatever comes in. What comes beyond that is counted together.
ROOM = 50
ROOM_SECONDS = 10
MANY = "many"
MANY_STEP = timedelta(minutes=10)

REFUSED_FORWARD = "forward-refused"
# The subject while nothing has ever arrived, whatever number was texted.
FIRST = "first-forward"
# A right forward ends the alert once no wrong one has come for so long.
QUIET = timedelta(minutes=10)
REASONS = {
    "wrong-auth": "its auth value is wrong",
    "missing-auth": "it has no auth value",
    "forwarder": "its address is not in LETTERBOX_FORWARDERS",
    "untrusted-proxy": "it came through a proxy that is not in LETTERBOX_TRUSTED_PROXIES",
}
ACTIONS = {
    "wrong-auth": "Paste the number's auth value into the provider's page again, or make a new one",
    "missing-auth": "Paste the number's auth value into the provider's page",
    "forwarder": "Look at /refusals for the address. If it is the provider's own and not that of a"
    " proxy, add it to LETTERBOX_FORWARDERS",
    "untrusted-proxy": "Look at /refusals for the address. If it is your proxy, and it writes"
    " X-Forwarded-For itself, add it to LETTERBOX_TRUSTED_PROXIES, not to LETTERBOX_FORWARDERS",
}
AFTER = (
    ", then text the number: that closes this alert. Then run `letterbox reconcile` for the time"
    " before: it stores what the provider's report has. If you do not know the caller, it is"
    " somebody else, and nothing needs doing."
)

Key = tuple[str, str, str]


class RefusalLog:
    """Counts refusals by address, number and reason until they are written down.

    Refusals of our own numbers have room of their own, so that a flood of others hides none.
    """

    def __init__(self, is_ours: Callable[[str], bool]) -> None:
        self._is_ours = is_ours
        self._counts: dict[Key, int] = {}
        self._rooms = {True: _Room(), False: _Room()}
        self._many_due: dict[Key, datetime] = {}

    def add(self, address: str, dest: str, reason: str, now: datetime) -> None:
        key = (_clean(address), _clean(dest), reason)
        if key not in self._counts:
            is_ours = self._is_ours(dest)
            if not self._rooms[is_ours].take(now):
                key = (MANY, dest if is_ours else "", reason)
        self._counts[key] = self._counts.get(key, 0) + 1

    def take(self, now: datetime) -> list[NewRefusal]:
        """Those to be written now, which are forgotten here."""
        due = [key for key in self._counts if now >= self._many_due.get(key, now)]
        self._many_due |= {key: now + MANY_STEP for key in due if key[0] == MANY}
        return [NewRefusal(now, *key, self._counts.pop(key)) for key in due]

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


def report_refused(conn: Connection, refused: Sequence[NewRefusal], now: datetime) -> None:
    """Alert where a number that is configured was refused a forward, or any before the first."""
    wrong = {each.dest: each for each in refused if each.reason in REASONS and _is_number(each)}
    if not wrong:
        return
    ours = find_configured(conn, wrong)
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
    """The subjects of alerts that are over: a right forward has come, or the number is gone."""
    quiet = [
        each for each in list_open_alerts(conn, REFUSED_FORWARD) if each.updated_at <= now - QUIET
    ]
    ours = find_configured(conn, [each.subject for each in quiet])
    return [each.subject for each in quiet if _is_over(conn, each, ours)]


def _is_over(conn: Connection, alert: Alert, ours: Collection[str]) -> bool:
    if alert.subject == FIRST:
        return has_arrivals(conn)
    arrived_at = find_last_arrival(conn, alert.subject)
    has_arrived = arrived_at is not None and arrived_at > alert.updated_at
    return has_arrived or alert.subject not in ours


def _is_number(refusal: NewRefusal) -> bool:
    return refusal.dest.isascii() and refusal.dest.isdecimal()


def _clean(text: str) -> str:
    """What a database can hold, and no more than a row is for."""
    return text[:MAX_TEXT].encode("utf-8", "replace").decode().replace("\0", "")
