"""Opens what a process needs and wires it together, once."""

import os
import secrets
import socket
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Literal

import structlog

from app.account import open_provider
from app.flows.access.auth_gate import AuthGate
from app.flows.operations.alarms.watch_storage import StorageWatch
from app.flows.operations.deferred_writes import DeferredWrites
from app.flows.operations.event_stream import EventTail
from app.flows.operations.housekeeping import Housekeeper
from app.flows.operations.processes.keep_time import Clock, TimeKeeper
from app.flows.operations.processes.metrics import Metrics
from app.flows.outbound.sending.note_answers import AnswerNotes
from app.provider.client import ProviderClient
from app.runtime import Runtime
from app.settings import Settings
from app.shared_secrets import find_secrets
from app.storage.data_dir import DataDir
from app.storage.db.database import open_database
from app.storage.db.postgres.servers import FILE as SERVERS
from app.storage.db.wakeups import Wakeups
from app.storage.inbound.inbound import make_inserter
from app.storage.inbound.intake import Intake
from app.storage.operations.processes import Process
from app.storage.spool.identity import Identity, find_place

log = structlog.get_logger("letterbox")


def open_runtime(
    settings: Settings,
    kind: Literal["web", "work"],
    *,
    provider: ProviderClient | None = None,
    now: Callable[[], datetime] | None = None,
    clock: Clock | None = None,
) -> Runtime:
    """Wire everything together without connecting or starting tasks.

    `provider` replaces the client from the settings. `clock` becomes the database's once that is
    reached; `now`, if given, is used instead of any clock. Raises SetupError if DATA_DIR cannot be
    used.
    """
    clock = clock or Clock()
    uses_clock = now is None
    now = now or clock.now
    data_dir = DataDir.open(settings.data_dir)
    database = open_database(
        settings.database_url,
        settings.sqlite_path,
        is_owner=True,
        servers=data_dir.path / SERVERS,
    )
    metrics = Metrics()
    wakeups, host = Wakeups(database), socket.gethostname()
    announce = partial(wakeups.notify, "events")
    quarantine = data_dir.open_quarantine()
    shared = find_secrets(settings, data_dir)
    auth_gate = AuthGate(database, data_dir.auth_cache, shared.inbound_auth)
    deferred_writes = DeferredWrites(
        metrics,
        quarantine,
        now=now,
        wake=partial(wakeups.notify, "messages"),
        is_ours=lambda number: number in auth_gate.admission.numbers,
    )
    process_id = secrets.token_hex(8)
    identity = Identity(find_place(settings.database_url, settings.sqlite_path))
    intake = None
    if kind == "web":
        intake = Intake(
            make_inserter(database),
            data_dir.spool,
            now=now,
            process_id=process_id,
            listener=deferred_writes,
            identity=identity,
        )
    process = Process(
        process_id,
        kind,
        host,
        os.getpid(),
        started_at=now(),
        seen_at=now(),
        spool_depth=0,
        runs_workers=kind == "work" or settings.run_workers,
    )
    watch = StorageWatch(data_dir, database, intake, deferred_writes, identity.place, host)
    housekeeper = Housekeeper(
        database, auth_gate, intake, deferred_writes, quarantine, metrics, process, watch, now
    )
    if provider is None and settings.provider_token:
        provider = open_provider(settings)
        if provider.fault:
            log.error("cannot_send", reason=provider.fault)
    answer_notes = AnswerNotes(database, metrics, on_change=announce, now=now)
    if provider is not None:
        provider.on_answer = answer_notes
    events = EventTail(database, wakeups)
    wakeups.on_note = events.take_note
    return Runtime(
        settings,
        shared,
        data_dir,
        database,
        metrics,
        deferred_writes,
        wakeups,
        auth_gate,
        housekeeper,
        intake,
        identity,
        provider,
        answer_notes,
        events,
        now,
        time_keeper=TimeKeeper(database, clock, host, announce) if uses_clock else None,
    )
