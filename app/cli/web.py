"""One web process: the application, its server, and the link that signs in."""

import contextlib
import gc
import multiprocessing
import os
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from types import FrameType

import structlog
import uvicorn
from uvicorn.config import STARTUP_FAILURE

from app.cli.listening import configure_server, find_base
from app.cli.login_link import write_link
from app.cli.logs import configure_logging
from app.domain.errors import LetterboxError, SetupError, Unavailable
from app.ending import catching_end, limit_end
from app.flows.metrics import MULTIPROCESS_VARIABLE
from app.flows.sign_in import make_login_link
from app.main import build_app
from app.runtime import Runtime, open_runtime
from app.settings import Settings, load_settings

LINK_NAME = "admin"
# The collector's walks over what the start made would cost a tenth of the throughput.
GC_THRESHOLD = 50_000

# What a newcomer is told, given the link that signs in; None where there is none to be shown.
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

    def end(self) -> None:
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn's own method raises them again at the end; a second one skips the shutdown."""
        # Event streams look for this very method to notice a shutdown.
        with catching_end(self.handle_exit, has_come=lambda: self.should_exit):
            yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 uvicorn's
        limit_end()
        self.end()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        gc.collect()
        gc.freeze()
        gc.set_threshold(GC_THRESHOLD, 20, 20)
        if self.started and self._on_start is not None:
            await self._on_start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Loops and requests end at the same time: one after the other would take too long.
        self._runtime.stop_work()
        await super().shutdown(sockets)


def serve_alone(
    settings: Settings, listener: socket.socket, welcome: Welcome, *, with_link: bool
) -> None:
    """Serve in this process until a signal. Raises SetupError if it cannot start."""
    runtime = open_runtime(settings, "web")

    async def say_welcome() -> None:
        base = find_base(settings, listener)
        text = welcome(await _make_link(runtime, base) if with_link else None)
        # If nobody reads the output, or the disk is full, the service still runs.
        with contextlib.suppress(OSError):
            print(text, flush=True)

    has_started = _serve(runtime, listener, say_welcome)
    if runtime.failure is not None:
        raise runtime.failure
    if not has_started:
        raise SetupError("the service could not start; the lines above say why")


def serve_supervised(listener: socket.socket) -> None:
    """Serve as one of several processes, until the supervisor stops or dies.

    Exits with STARTUP_FAILURE if no process could start.
    """
    settings = load_settings()
    configure_logging(settings.log_format, settings.log_level)
    threading.Thread(target=_end_with_supervisor, daemon=True).start()
    try:
        runtime = open_runtime(settings, "web")
    except LetterboxError as error:
        log.error("ending", error=str(error))
        sys.exit(STARTUP_FAILURE)
    if not _serve(runtime, listener) or runtime.failure is not None:
        sys.exit(STARTUP_FAILURE)


def _serve(
    runtime: Runtime,
    listener: socket.socket,
    on_start: Callable[[], Awaitable[None]] | None = None,
) -> bool:
    """Serve until a signal or a failure; returns whether it had started."""
    server: _Server

    def end() -> None:
        log.error("ending", error=str(runtime.failure))
        server.end()

    config = configure_server(build_app(runtime, on_failure=end))
    server = _Server(config, runtime, on_start)
    # A failed start raises this; the caller reports the reason.
    with contextlib.suppress(SystemExit):
        server.run(sockets=[listener])
    return server.started


async def _make_link(runtime: Runtime, base: str) -> str | None:
    """A link that signs in, or None where the database is away."""
    if not runtime.prepared.is_set():
        return None
    try:
        token = await make_login_link(runtime.database, LINK_NAME, now=datetime.now(UTC))
    except Unavailable:
        return None
    return write_link(base, token)


def _end_with_supervisor() -> None:
    """Without its supervisor nobody could end this process, and it would keep the port."""
    # Not by comparing getppid(), which tells nothing where the supervisor went before this began.
    supervisor = multiprocessing.parent_process()
    if supervisor is not None:
        supervisor.join()
        limit_end()
        shutil.rmtree(os.environ[MULTIPROCESS_VARIABLE], ignore_errors=True)
        os.kill(os.getpid(), signal.SIGTERM)
