"""The whole state of the simulated provider, kept in memory."""

from collections import Counter, deque
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

from app.simulator.state.accounts import Accounts
from app.simulator.state.book import AddressBooks
from app.simulator.state.clock import SimulatorClock
from app.simulator.state.config import NumberConfig, SimulatorConfig
from app.simulator.state.faults import FaultPlan
from app.simulator.state.gsm import split_parts
from app.simulator.state.incoming import Incoming, IncomingText
from app.simulator.state.outgoing import Outgoing

_KEPT_CALLS = 10_000


@dataclass(slots=True)
class CallRecord:
    """One call to the API: its parameters (without the token), its fault and its answer."""

    at: datetime
    action: str
    parameters: dict[str, str]
    fault: str | None = None
    taken: bool = False
    answer: str | None = None

    def as_json(self) -> dict[str, object]:
        return asdict(self) | {"at": self.at.isoformat()}


@dataclass(slots=True)
class CallLog:
    recent: deque[CallRecord] = field(default_factory=lambda: deque(maxlen=_KEPT_CALLS))
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, record: CallRecord) -> None:
        self.recent.append(record)
        self.counts[record.action] += 1


class World:
    """Everything the provider knows. Belongs to one event loop; nothing in it waits."""

    def __init__(self, config: SimulatorConfig, clock: SimulatorClock, random: Random) -> None:
        self.config = config
        self.clock = clock
        self.random = random
        self.switches = config.switches
        self.accounts = Accounts(config.accounts, random)
        self.outgoing = Outgoing(config.first_message_id)
        self.incoming = Incoming(config.first_inbound_id, config.numbers)
        self.books = AddressBooks(config.lists)
        self.faults = FaultPlan(random, config.faults)
        self.calls = CallLog()

    def day_of(self, instant: datetime) -> str:
        return instant.astimezone(ZoneInfo("Europe/London")).date().isoformat()

    def report_instant(self) -> datetime:
        return self.clock.now() - timedelta(seconds=self.switches.report_lag_seconds)

    def take_in(self, number: NumberConfig, source: str, body: str) -> list[IncomingText]:
        """Store a text to a virtual number, as one or, by switch, one per part."""
        switches = self.switches
        bodies = split_parts(body) if switches.forward_long_texts == "parts" else [body]
        if switches.stop_fills_blacklist and body.strip().casefold() == "stop":
            owner = self.accounts.get(number.username)
            if owner is not None:
                owner.blacklist.add(source)
        now, other = self.clock.now(), switches.inbound_ids == "other"
        return [
            self.incoming.add(
                number, source, one, now, other_ids=other, ids=switches.forward_id_count
            )
            for one in bodies
        ]
