"""What requests and the intake notice, kept in memory until housekeeping writes it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from app.flows.inbound.refused_forwards import RefusalLog
from app.flows.operations.processes.metrics import Metrics
from app.storage.inbound.refusals import NewRefusal
from app.storage.operations.inspect import UNTRUSTED_PROXY
from app.storage.spool.quarantine import Quarantine

# Alerts of files that are kept for a person.
REFUSED = "message-refused"
DAMAGED = "spool-damaged"
# Anybody can cause this, so it has one alert for all callers: /refusals has the addresses.
TOO_LARGE = "too-large"
ENDPOINT = "/inbound"
# A single event; the alert closes if it does not happen again for a while.
SPOOL_MOVED = "spool-moved"
# Raised again for as long as it lasts.
SPOOL_FOREIGN = "spool-foreign"
EMPTIED = "database-emptied"
# At most this many proxies have an alert, renewed this often.
MAX_PROXIES = 10
PROXY_STEP = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class PendingAlert:
    kind: str
    subject: str
    text: str
    action: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Condition:
    """A lasting condition: its alert is opened or, if `ended`, closed.

    `text` is None if the alert was opened before.
    """

    text: str | None
    action: str = ""
    ended: bool = False


@dataclass(slots=True)
class Batch:
    """Everything noticed since the last `take`."""

    refusals: list[NewRefusal] = field(default_factory=list)
    vouched: frozenset[str] = frozenset()
    seen_auths: dict[int, datetime] = field(default_factory=dict)
    alerts: list[PendingAlert] = field(default_factory=list)
    adopted: list[str] = field(default_factory=list)
    conditions: dict[tuple[str, str], Condition] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return any((self.refusals, self.seen_auths, self.alerts, self.adopted, self.conditions))


class DeferredWrites:
    """Collects without waiting for the database; the housekeeper calls `take` and writes."""

    def __init__(
        self,
        metrics: Metrics,
        quarantine: Quarantine,
        *,
        now: Callable[[], datetime],
        wake: Callable[[], None],
        is_ours: Callable[[str], bool],
    ) -> None:
        """`is_ours` says whether a number is configured."""
        self._metrics = metrics
        self._quarantine = quarantine
        self._now = now
        self._wake = wake
        self._refused = RefusalLog(is_ours)
        self._too_large = 0
        self._proxies: dict[str, datetime] = {}
        self._batch = Batch()
        self._arrived = 0
        # Whether a new message has been stored since the start.
        self.has_stored = False

    def on_admitted(self, auth_id: int | None) -> None:
        if auth_id is not None:
            self._batch.seen_auths[auth_id] = self._now()

    def on_turned_away(self, address: str, dest: str, reason: str) -> None:
        self._metrics.refused.labels(reason).inc()
        self._refused.add(address, dest, reason, self._now())

    def on_vouched(self, dest: str) -> None:
        """A right auth value came with this number, whether or not it is configured."""
        self._refused.vouch_for(dest)

    def on_too_large(self, address: str) -> None:
        self.on_turned_away(address, "", TOO_LARGE)
        self._too_large += 1

    def on_unheeded(self, address: str) -> None:
        """A proxy that is not trusted sent the caller's address."""
        now = self._now()
        if address not in self._proxies and len(self._proxies) >= MAX_PROXIES:
            return
        if now < self._proxies.get(address, now):
            return
        self._proxies[address] = now + PROXY_STEP
        self._alert(
            UNTRUSTED_PROXY,
            address,
            f"{address} sends X-Forwarded-For or Forwarded, but is not in"
            f" LETTERBOX_TRUSTED_PROXIES: everyone who calls through it counts as {address}.",
            f"If {address} is your proxy, and it writes that header itself, add it to"
            " LETTERBOX_TRUSTED_PROXIES; this alert then closes within a day. Never add a proxy"
            " to LETTERBOX_FORWARDERS: everyone who calls through it would get in.",
        )

    def on_stored(self, rows: int) -> None:
        self._metrics.stored.inc(rows)
        self.has_stored |= rows > 0
        self._wake()

    def on_kept(self, rows: int, *, in_spool: bool, seconds: float) -> None:
        self._metrics.receive_seconds.observe(seconds)
        self._arrived += rows
        (self._metrics.kept_in_spool if in_spool else self._metrics.kept_in_database).inc(rows)

    def on_adopted(self, process_id: str) -> None:
        self._batch.adopted.append(process_id)

    def on_refused(self, path: Path) -> None:
        self._alert(
            REFUSED,
            self._quarantine.name(path),
            f"A message that the database cannot store lies in {path}.",
            "Read the file: it holds the whole message. Report it to Letterbox's developers,"
            " then remove the file: that closes this alert.",
        )

    def on_damaged(self, path: Path) -> None:
        self._alert(
            DAMAGED,
            self._quarantine.name(path),
            f"A part of the spool could not be read; what is left of it lies in {path}.",
            "Check the disk, and run `letterbox reconcile` for that time: it stores what the"
            " provider's report has. Then remove the file: that closes this alert.",
        )

    def on_foreign(self, path: Path, place: str) -> None:
        self._alert(
            SPOOL_FOREIGN,
            str(path),
            f"The spool {path} holds messages for another database ({place}); they were left"
            " there.",
            f"Start Letterbox with this DATA_DIR and the database {place} to store them."
            " Services with different databases need separate DATA_DIRs.",
            count=0,
        )

    def on_spool_moved(self, path: Path, lost: int) -> None:
        self._alert(
            SPOOL_MOVED,
            str(path),
            f"The spool {path} was removed, moved or hidden while it was in use; "
            + (
                f"{lost} messages that waited in it could not be read any more."
                if lost
                else "every message that waited in it was kept."
            ),
            "Find out what touched the data folder, and leave the spool alone while Letterbox"
            " runs."
            + (
                " If it was moved, put it back beside the new one: it is stored within"
                " half a minute. Else run `letterbox reconcile` for that time."
                if lost
                else ""
            ),
        )

    def on_emptied(self, place: str) -> None:
        self._alert(
            EMPTIED,
            place,
            f"The database {place} holds no message, but this data folder was used with one"
            " there that did.",
            "Unless you meant to start afresh: stop Letterbox, restore a copy of the database"
            " and start it again. Run `letterbox reconcile` for the time since the copy.",
        )

    def _alert(self, kind: str, subject: str, text: str, action: str, count: int = 1) -> None:
        self._batch.alerts.append(PendingAlert(kind, subject, text, action, count))

    def begin_condition(self, kind: str, subject: str, text: str, action: str) -> None:
        """Something has begun to fail."""
        self._batch.conditions[kind, subject] = Condition(text, action)

    def end_condition(self, kind: str, subject: str) -> None:
        """It works (again); a failure that came and went between two checks is still reported."""
        begun = self._batch.conditions.get((kind, subject), Condition(None))
        self._batch.conditions[kind, subject] = Condition(begun.text, begun.action, ended=True)

    def take_arrived(self) -> int:
        """How many texts were acknowledged since the last call."""
        arrived, self._arrived = self._arrived, 0
        return arrived

    def take(self) -> Batch:
        """Everything collected since the last call."""
        batch, self._batch = self._batch, Batch()
        batch.refusals = self._refused.take(self._now())
        batch.vouched = self._refused.vouched
        if self._too_large:
            batch.alerts.append(
                PendingAlert(
                    TOO_LARGE,
                    ENDPOINT,
                    "A forward over 64 KiB was refused with 413.",
                    "No text is that long. /refusals shows where it came from. Find out who"
                    " sends it. Its content was not kept.",
                    self._too_large,
                )
            )
            self._too_large = 0
        return batch

    def put_back(self, batch: Batch) -> None:
        """The database was unavailable: these wait for the next time."""
        self._refused.put_back(batch.refusals)
        self._batch.seen_auths = batch.seen_auths | self._batch.seen_auths
        self._batch.alerts = batch.alerts + self._batch.alerts
        self._batch.adopted = batch.adopted + self._batch.adopted
        for key, condition in batch.conditions.items():
            later = self._batch.conditions.setdefault(key, condition)
            if later.text is None:
                begun = Condition(condition.text, condition.action, ended=later.ended)
                self._batch.conditions[key] = begun
