"""Opens what a process needs, wired together once: only the edges hold it."""

import asyncio
import contextlib
import itertools
import os
import secrets
import socket
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal

import structlog

from app.account import open_provider
from app.domain.errors import NoProvider, SetupError
from app.flows.admit import Gate
from app.flows.metrics import Metrics
from app.flows.notices import Notices
from app.flows.receive import Receiver
from app.flows.reconcile import Reconciler, Reconciliation
from app.flows.tend import Tender
from app.flows.watch_storage import StorageWatch
from app.provider.client import ProviderClient
from app.settings import EVERYWHERE, Settings
from app.shared_secrets import SharedSecrets, find_secrets
from app.storage.data_dir import DataDir
from app.storage.database import Connection, Database, open_database
from app.storage.identity import Identity, find_place, has_had_messages, read_database_id
from app.storage.inbound import make_inserter
from app.storage.intake import Intake
from app.storage.migrate import migrate
from app.storage.processes import Process
from app.storage.secrets import register_secret
from app.storage.wakeups import Wakeups

CONNECT_SECONDS = 1.0
FIRST_CONNECT_SECONDS = 5.0

Kind = Literal["web", "work"]

log = structlog.get_logger("letterbox")


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Runtime:
    """Everything a process runs on. `start` before use, `close` after."""

    settings: Settings
    secrets: SharedSecrets
    data_dir: DataDir
    database: Database
    metrics: Metrics
    notices: Notices
    wakeups: Wakeups
    gate: Gate
    tender: Tender
    intake: Intake | None
    identity: Identity
    provider: ProviderClient | None
    now: Callable[[], datetime] = utc_now
    prepared: asyncio.Event = field(default_factory=asyncio.Event)
    failure: SetupError | None = None
    database_error: str = "it does not answer"
    _tried: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def receiver(self) -> Receiver:
        """The receive flow; only in a web process."""
        if self.intake is None:
            raise RuntimeError("a worker takes no forwards")
        networks = self.settings.forwarders
        return Receiver(
            self.gate,
            self.intake,
            forwarders=None if networks == EVERYWHERE else networks,
            zone=self.settings.zone,
            region=self.settings.default_region,
            notices=self.notices,
            now=self.now,
            make_nonce=_make_nonces(secrets.token_bytes(16)),
        )

    def get_provider(self) -> ProviderClient:
        """The client of the provider's API. Raises NoProvider where no token is set."""
        if self.provider is None:
            raise NoProvider
        return self.provider

    def make_reconciler(self) -> Reconciler:
        """The reconcile flow. Raises NoProvider where no token is set."""
        return Reconciler(
            self.database,
            self.get_provider(),
            zone=self.settings.zone,
            region=self.settings.default_region,
            holder=secrets.token_hex(8),
            now=self.now,
        )

    def note_reconciliation(self, result: Reconciliation) -> None:
        """Count what a run found, and wake whoever handles it."""
        self.metrics.reported.inc(result.reported)
        self.metrics.missing.inc(result.missing)
        self.metrics.reconciled_at.set(self.now().timestamp())
        if result.missing:
            log.warning("messages_missing", count=result.missing, since=result.since.isoformat())
            self.wakeups.ring("messages")

    def announce_texts(self) -> None:
        """Texts were queued or have changed: wake whoever sends or shows them."""
        self.wakeups.ring("outbound")
        self.wakeups.ring("events")

    async def start(self, *, on_failure: Callable[[], None]) -> None:
        """Take messages at once; reach the database now or later.

        Raises SetupError where the database suits no start. Where that shows only later, once the
        database has come back, `on_failure` is called and `failure` says why.
        """
        self.wakeups.start()
        if self.intake is not None:
            await self.intake.start()
        preparing = self.spawn(self._prepare_until_done())
        trying = asyncio.create_task(self._tried.wait())
        # SQLite's file is opened, and migrated, however long that takes, or cannot be used.
        patience = FIRST_CONNECT_SECONDS if self.settings.is_postgres else None
        await asyncio.wait({preparing, trying}, timeout=patience, return_when="FIRST_COMPLETED")
        trying.cancel()
        if not preparing.done():
            log.warning(
                "database_away",
                error=self.database_error,
                messages="go to the spool until it comes back",
            )
            preparing.add_done_callback(lambda _: on_failure() if self.failure else None)
        elif self.failure is not None:
            await self.close()
            raise self.failure

    async def close(self) -> None:
        """Finish what was accepted, say goodbye and let go of everything."""
        if self.intake is not None:
            await self.intake.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self.prepared.is_set():
            with contextlib.suppress(Exception):
                async with asyncio.timeout(2):
                    await self.tender.say_goodbye()
        if self.provider is not None:
            await self.provider.aclose()
        await self.wakeups.close()
        await self.database.close()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something beside until `close`."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        return task

    async def _prepare_until_done(self) -> None:
        while True:
            try:
                await self._prepare()
            except SetupError as error:
                self.failure = error
                return
            except Exception as error:  # noqa: BLE001 whatever it is, the spool takes messages
                self.database_error = _describe(error)
                self._tried.set()
                log.debug("database_away", error=self.database_error)
                await asyncio.sleep(CONNECT_SECONDS)
            else:
                return

    async def _prepare(self) -> None:
        """Schema, shared secrets, auth values, then what lies in the spools."""
        revision = await migrate(self.database)
        if revision:
            log.info("migrated", revision=revision)
        await self.database.write(self._register_secrets)
        await self.gate.refresh()
        if await self.database.read(has_had_messages):
            self.data_dir.remember_messages(self.identity.place)
        elif self.data_dir.remembers_messages(self.identity.place):
            self.notices.on_emptied(self.identity.place)
        if self.intake is not None:
            identity = replace(self.identity, id=await self.database.write(read_database_id))
            await self.intake.identify(identity)
            await self.intake.recover()
        self.spawn(self.tender.run())
        self.prepared.set()

    def _register_secrets(self, conn: Connection) -> None:
        shared = self.secrets
        for name, secret in (("inbound_auth", shared.inbound_auth), ("api_key", shared.api_key)):
            if not register_secret(conn, name, secret, generated=name in shared.generated):
                raise SetupError(
                    f"another process made its own LETTERBOX_{name.upper()}: set the same one for"
                    f" all of them, or let them share DATA_DIR"
                )


def open_runtime(
    settings: Settings,
    kind: Kind,
    *,
    provider: ProviderClient | None = None,
    now: Callable[[], datetime] = utc_now,
) -> Runtime:
    """Wire everything together; nothing is connected and no task runs yet.

    `provider` replaces the client that the settings name. Raises SetupError where DATA_DIR cannot
    be used.
    """
    data_dir = DataDir.open(settings.data_dir)
    database = open_database(settings.database_url, settings.sqlite_path, is_owner=True)
    metrics = Metrics()
    wakeups = Wakeups(database)
    quarantine = data_dir.open_quarantine()
    notices = Notices(metrics, quarantine, now=now, wake=lambda: wakeups.ring("messages"))
    shared = find_secrets(settings, data_dir)
    gate = Gate(database, data_dir.auth_cache, shared.inbound_auth, now=now)
    process_id = secrets.token_hex(8)
    identity = Identity(find_place(settings.database_url, settings.sqlite_path))
    intake = None
    if kind == "web":
        intake = Intake(
            make_inserter(database),
            data_dir.spool,
            now=now,
            make_id=lambda: process_id,
            listener=notices,
            identity=identity,
        )
    process = Process(
        process_id,
        kind,
        socket.gethostname(),
        os.getpid(),
        started_at=now(),
        seen_at=now(),
        spool_depth=0,
        runs_workers=kind == "work" or settings.run_workers,
    )
    watch = StorageWatch(
        data_dir, database, intake, notices, place=identity.place, host=process.host
    )
    tender = Tender(database, gate, intake, notices, quarantine, metrics, process, watch, now=now)
    if provider is None and settings.provider_token:
        provider = open_provider(settings)
    return Runtime(
        settings,
        shared,
        data_dir,
        database,
        metrics,
        notices,
        wakeups,
        gate,
        tender,
        intake,
        identity,
        provider,
        now,
    )


def _make_nonces(seed: bytes) -> Callable[[], bytes]:
    """Bytes that never come again: asking the system each time would cost a switch of threads."""
    numbers = itertools.count()
    return lambda: seed + next(numbers).to_bytes(8, "big")


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")
