"""One web process: the application, its server, and the link that signs in."""

import asyncio
import contextlib
import gc
import multiprocessing
import os
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from types import FrameType

import structlog
import uvicorn
from uvicorn.config import STARTUP_FAILURE

from app.api.http.bounded_connection import SHUTDOWN_IDLE_SECONDS
from app.cli.core.offline import find_actor
from app.cli.process.listening import GRACEFUL_SECONDS, configure_server, restart_with
from app.cli.process.logs import configure_logging
from app.domain.errors import Conflict, LetterboxError, SetupError, Unavailable
from app.ending import End, catching_end, limit_end
from app.flows.access.invite import write_link
from app.flows.access.sign_in import make_login_link
from app.flows.operations.processes.metrics import MULTIPROCESS_VARIABLE
from app.main import build_app
from app.runtime import Runtime
from app.settings import Settings, load_settings
from app.wiring import open_runtime

LINK_NAME = "admin"
# Until the connections accepted last are known, so that they can be closed.
ACCEPT_SECONDS = 0.01
# Before a restart callers are still answered while the loops end, and at least as long as idle
# connections stay open.
LAST_CALL_SECONDS = SHUTDOWN_IDLE_SECONDS + 0.1
MOST_LAST_CALL_SECONDS = 6.0
TELL_SECONDS = 0.1
# Garbage collection of what the start has created would cost a tenth of the throughput.
GC_THRESHOLD = 50_000

# SQLite's threads need Python's lock after each of their calls, and get it from a busy event loop
# only after so long: a transaction of twenty calls would take 100 ms at Python's usual 5 ms.
SWITCH_SECONDS = 0.0005

# Makes the welcome text from the sign-in link, or None if there is none to show.
Welcome = Callable[[str | None], str]

log = structlog.get_logger("letterbox")


class _Server(uvicorn.Server):
    """Begins to stop at the first signal; `on_start` is called once it listens."""

    def __init__(
        self,
        config: uvicorn.Config,
        runtime: Runtime,
        on_start: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        super().__init__(config)
        self._runtime = runtime
        self._on_start = on_start
        self._end = End()
        self._kept: list[socket.socket] = []

    @property
    def kept(self) -> Sequence[socket.socket]:
        """The sockets to hand over if a restart was requested."""
        return self._kept if self._end.restarts else ()

    def end(self) -> None:
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn's own method raises them again at the end; a second one skips the shutdown."""
        # Event streams look for this very method to notice a shutdown.
        with catching_end(self.handle_exit, self._end, can_restart=True):
            yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 uvicorn's
        self._end.note(sig)
        limit_end(self._restart_by_force)
        self.end()

    def _restart_by_force(self) -> None:
        if self.kept:
            restart_with(self.kept)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # Whoever waits for an answer would wait for a collection too, which finds next to nothing.
        gc.freeze()
        gc.enable()
        gc.set_threshold(GC_THRESHOLD, 20, 20)
        sys.setswitchinterval(SWITCH_SECONDS)
        if self.started and self._on_start is not None:
            await self._on_start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Loops and requests end at the same time: one after the other would take too long.
        self._runtime.stop_work()
        if self._end.restarts:
            self._kept = [each.dup() for each in sockets or ()]
            await self._answer_last_calls()
        for listening in self.servers:
            listening.close()
        await asyncio.sleep(ACCEPT_SECONDS)
        await super().shutdown(sockets)

    async def _answer_last_calls(self) -> None:
        """Keep accepting for a while: later callers wait until the new start is done.

        Each connection is closed with its next answer.
        """
        now = asyncio.get_running_loop().time
        began = now()
        least = LAST_CALL_SECONDS if self.server_state.connections else 0.0
        while (taken := now() - began) < least or (
            self._runtime.is_working and taken < MOST_LAST_CALL_SECONDS
        ):
            for connection in list(self.server_state.connections):
                connection.shutdown()
            await asyncio.sleep(TELL_SECONDS)
        self.config.timeout_graceful_shutdown = max(round(GRACEFUL_SECONDS - taken), 1)


def serve_alone(
    settings: Settings, listeners: list[socket.socket], welcome: Welcome, *, with_link: bool
) -> Sequence[socket.socket]:
    """Serve in this process until a signal. Raises SetupError if it cannot start.

    Returns the sockets to hand over if a restart was requested.
    """
    runtime = open_runtime(settings, "web")

    async def say_welcome() -> None:
        link = await _make_link(runtime, settings.base_url) if with_link else None
        text = welcome(link)
        # If nobody reads the output, or the disk is full, the service still runs.
        with contextlib.suppress(OSError):
            print(text, flush=True)

    server = _serve(runtime, listeners, say_welcome)
    if runtime.failure is not None:
        raise runtime.failure
    if not server.started:
        raise SetupError("the service could not start; the lines above say why")
    return server.kept


def serve_supervised(listeners: list[socket.socket], address: Mapping[str, str | int]) -> None:
    """Serve as one of several processes, until the supervisor stops or dies.

    Exits with STARTUP_FAILURE if no process could start.
    """
    settings = load_settings(**address)
    configure_logging(settings.log_format, settings.log_level)
    threading.Thread(target=_end_with_supervisor, daemon=True).start()
    try:
        runtime = open_runtime(settings, "web")
    except LetterboxError as error:
        log.error("ending", error=str(error))
        sys.exit(STARTUP_FAILURE)
    if not _serve(runtime, listeners).started or runtime.failure is not None:
        sys.exit(STARTUP_FAILURE)


def _serve(
    runtime: Runtime,
    listeners: list[socket.socket],
    on_start: Callable[[], Awaitable[None]] | None = None,
) -> _Server:
    """Serve until a signal or a failure."""
    server: _Server

    def end() -> None:
        log.error("ending", error=str(runtime.failure))
        server.end()

    config = configure_server(build_app(runtime, on_failure=end))
    server = _Server(config, runtime, on_start)
    # A failed start raises this; the caller reports the reason.
    with contextlib.suppress(SystemExit):
        server.run(sockets=listeners)
    return server


async def _make_link(runtime: Runtime, base: str) -> str | None:
    """A link that signs in, or None while the database is unavailable."""
    if not runtime.prepared.is_set():
        return None
    try:
        token = await make_login_link(
            runtime.database, LINK_NAME, who=find_actor(), now=datetime.now(UTC)
        )
    except (Unavailable, Conflict):
        return None
    return write_link(base, token)


def _end_with_supervisor() -> None:
    """Without its supervisor nothing would end this process, and it would keep the port."""
    # getppid() would not show a supervisor that ended before this process began.
    supervisor = multiprocessing.parent_process()
    if supervisor is not None:
        supervisor.join()
        limit_end()
        shutil.rmtree(os.environ[MULTIPROCESS_VARIABLE], ignore_errors=True)
        os.kill(os.getpid(), signal.SIGTERM)
