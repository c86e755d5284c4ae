"""What is sent through a provider that fails in every way, and whether all of it arrived once."""

import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from app.cli.process.demo import playing
from app.simulator.application import SimulatorApp, build_simulator
from app.simulator.state.clock import start_clock
from app.simulator.state.config import AccountConfig, NumberConfig, SimulatorConfig
from app.simulator.state.faults import Fault
from app.simulator.state.switches import Switches
from tests.e2e.stores import SqliteStore, Store
from tests.support.service import Service, wait_until

OURS = "447700900001"
TOKEN = "a-token-of-the-tests"
# How many numbers the requests of a turn name: what goes to many goes out in one call.
REQUESTS = (1, 1, 3, 15)
PER_TURN = sum(REQUESTS)
# Every way in which a call can go wrong, before and after its text was taken. What a code of
# another class does is decided by a table that has tests of its own.
WAYS: list[dict[str, Any]] = [
    *({"kind": kind, "taken": taken} for kind in ("slow", "silence") for taken in (True, False)),
    *({"kind": kind, "taken": taken} for kind in ("reset", "html") for taken in (True, False)),
    *({"kind": "status", "status": status, "taken": status == 500} for status in (500, 503)),
    {"kind": "empty", "taken": True},
    {"kind": "cut", "taken": True},
    {"kind": "code", "code": -300, "taken": True},
    *({"kind": "code", "code": code, "taken": False} for code in (-301, -511, -401)),
]
ACCOUNT = {"kind": "code", "code": -100, "taken": False}

Text = tuple[str, str]


@dataclass
class Provider:
    """The simulated provider in a thread of this process, over real sockets."""

    app: SimulatorApp
    url: str

    @property
    def settings(self) -> dict[str, Any]:
        """Those of a service that sends through it, faster than one would in earnest."""
        return {
            "provider_url": f"{self.url}/api",
            "provider_token": TOKEN,
            "uncertain_proof_seconds": 1,
            "reconcile_seconds": 0,
        }

    def misbehave(self, share: float) -> None:
        """From now on let so many of the Sends go wrong, and some of the other calls."""
        self.behave()
        plan = self.app.simulator.world.faults
        for way in WAYS:
            chance = share / len(WAYS)
            fault = {"action": "Send", "seconds": 0.2, "probability": chance, **way}
            plan.add(Fault.model_validate(fault))
        plan.add(Fault.model_validate({"action": "Send", "probability": share / 200, **ACCOUNT}))
        for action in ("Report", "CheckMessageStatus"):
            html = {"kind": "html", "action": action, "probability": share / 2}
            plan.add(Fault.model_validate(html))

    def behave(self) -> None:
        self.app.simulator.world.faults.clear()

    def count_taken(self) -> Counter[Text]:
        """How often it took each text, by whom it went to and what it says."""
        return Counter((text.destination, text.body) for text in self.list_taken())

    def list_taken(self) -> list[Any]:
        return list(self.app.simulator.world.outgoing.texts)


@contextmanager
def providing() -> Iterator[Provider]:
    config = SimulatorConfig(
        accounts=(AccountConfig(username="demo", token=TOKEN, credits=Decimal(1_000_000)),),
        numbers=(NumberConfig(number=OURS, username="demo"),),
        switches=Switches(magic_numbers=False, sent_after_seconds=0.2, settled_after_seconds=0.5),
    )
    app = build_simulator(config, start_clock(), random.Random())
    with playing(app) as url:
        yield Provider(app, url)


@dataclass
class Sendings:
    """What was given to the service to send, by hand and in answer to texts."""

    store: Store
    provider: Provider
    texts: set[Text] = field(default_factory=set)
    resolved: int = 0

    def queue(self, service: Service, count: int, *, numbers: int) -> None:
        """So many texts to a few numbers, several to each; some are long."""
        for turn in range(count // PER_TURN):
            body = f"Text {turn}" + " and so on" * (20 if turn % 5 == 4 else 0)
            first = 100 + turn * PER_TURN % numbers
            for size in REQUESTS:
                to = [f"447700900{first + each}" for each in range(size)]
                first += size
                order = {"to": to, "source": OURS, "body": body}
                answer = service.call("/outbound", method="POST", body=order)
                assert answer.status == 202, answer
                self.texts |= {(number, body) for number in to}

    def ask_for_answers(self, service: Service, count: int) -> None:
        """So many texts that a rule answers, each from somebody else."""
        rule = {"name": "echo", "keyword": "echo", "timezone": "UTC", "reply": "Hear: {rest}"}
        answer = service.call("/rules", method="POST", body=rule)
        assert answer.status == 201, answer
        for each in range(count):
            source = f"447700900{700 + each}"
            asked = service.forward(f"echo-{each}", source=source, dest=OURS, msg=f"echo no {each}")
            assert asked.status == 200
            self.texts.add((source, f"Hear: no {each}"))

    def fetch_statuses(self) -> dict[Text, str]:
        rows = self.store.fetch("SELECT to_number, body, status FROM outbound")
        return {(row[0], row[1]): str(row[2]) for row in rows}

    def count_waiting(self) -> int:
        """Texts that are queued, held, being sent, or not settled yet."""
        return int(self.store.fetch("SELECT count(*) FROM outbound WHERE settled_at IS NULL")[0][0])

    def end_leases(self) -> None:
        """Time passes while nobody lives who could hold a lease."""
        earlier = "100000000" if isinstance(self.store, SqliteStore) else "interval '100 s'"
        self.store.execute(
            f"UPDATE outbound SET lease_until = lease_until - {earlier} WHERE status = 'sending'"
        )
        self.store.execute(f"UPDATE leases SET until = until - {earlier}")

    def resume(self, service: Service) -> None:
        """A person sees that the account had not been at fault."""
        if service.get("/sender")["state"] == "stopped":
            service.call("/sender", method="POST", body={"state": "running"})

    def settle_all(self, service: Service, *, seconds: float) -> None:
        """Until every text has its end: by itself, and what nothing proves by a person."""
        quiet_since, left = time.monotonic(), -1

        def is_done() -> bool:
            nonlocal quiet_since, left
            self.resume(service)
            now_left = self.count_waiting()
            if now_left != left:
                quiet_since, left = time.monotonic(), now_left
            elif time.monotonic() > quiet_since + 3:
                self.provider.behave()
                self.resolve(service)
            self.store.hurry()
            time.sleep(0.2)
            return left == 0

        wait_until(is_done, seconds=seconds, what=service.log)

    def resolve(self, service: Service) -> None:
        """A person looks at the provider's list and says what became of the uncertain ones."""
        taken = {(text.destination, text.body): text for text in self.provider.list_taken()}
        for item in service.get("/outbound?status=uncertain&limit=500")["items"]:
            found = taken.get((item["to"], item["body"]))
            word = (
                {"outcome": "resend"}
                if found is None
                else {"outcome": "sent", "provider_id": str(found.first_id)}
            )
            path = f"/outbound/{item['id']}/resolve"
            answer = service.call(path, method="POST", body=word)
            # Meanwhile it may have settled itself.
            assert answer.status in {200, 409}, answer
            self.resolved += answer.status == 200

    def check_each_went_out_once(self) -> None:
        counts, statuses = self.provider.count_taken(), self.fetch_statuses()
        doubled = [text for text, count in counts.items() if count > 1]
        assert not doubled, f"{len(doubled)} texts went out twice, such as {doubled[:3]}"
        assert counts.keys() <= self.texts
        assert statuses.keys() == self.texts
        refused = {text for text, status in statuses.items() if status == "failed"}
        lost = self.texts - refused - counts.keys()
        assert not lost, f"{len(lost)} texts are lost, such as {sorted(lost)[:3]}"
        assert not refused & counts.keys()
        assert set(statuses.values()) <= {"delivered", "failed"}, Counter(statuses.values())


def describe(sendings: Sendings, kills: int) -> str:
    """A line for whoever reads the output of a long run."""
    calls = sendings.provider.app.simulator.world.calls.counts
    statuses = Counter(sendings.fetch_statuses().values())
    tries = sendings.store.fetch("SELECT count(*) FROM send_attempts")[0][0]
    unknown = sendings.store.fetch("SELECT count(*) FROM send_attempts WHERE outcome = 'unknown'")
    return (
        f"{len(sendings.texts)} texts, {kills} kills, {tries} tries of which {unknown[0][0]} had an"
        f" unknown outcome, {sendings.resolved} settled by hand; {dict(statuses)}; taken:"
        f" {len(sendings.provider.list_taken())}, twice: 0; calls: {dict(calls)}"
    )
