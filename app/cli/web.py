"""One web process: the application, its server, and the link that signs in."""

import contextlib
import multiprocessing
import os
import shutil
import signal
import socket
import threading
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import structlog
import uvicorn
from starlette.types import ASGIApp

from app.cli.listening import configure_server, find_base
from app.cli.login_link import write_link
from app.cli.logs import configure_logging
from app.domain.errors import SetupError, Unavailable
from app.flows.metrics import MULTIPROCESS_VARIABLE
from app.flows.sign_in import make_login_link
from app.main import build_app
from app.runtime import Runtime, open_runtime
from app.settings import Settings, load_settings

LINK_NAME = "admin"

# What a newcomer is told, given the link that signs in; None where there is none to be shown.
Welcome = Callable[[str | None], str]

log = structlog.get_logger("letterbox")


def make_app() -> ASGIApp:
    """What each of several web processes serves; the supervisor imports it by name."""
    settings = load_settings()
    configure_logging(settings.log_format, settings.log_level)
    threading.Thread(target=_end_with_supervisor, daemon=True).start()
    runtime = open_runtime(settings, "web")

    def end_all() -> None:
        log.error("ending", error=str(runtime.failure))
        os.kill(os.getppid(), signal.SIGUSR1)

    return build_app(runtime, on_failure=end_all)


class _Server(uvicorn.Server):
    """Says where it listens once it does."""

    def __init__(
        self,
        config: uvicorn.Config,
        welcome: Welcome,
        make_sign_in: Callable[[], Awaitable[str | None]],
    ) -> None:
        super().__init__(config)
        self._welcome = welcome
        self._make_sign_in = make_sign_in

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            print(self._welcome(await self._make_sign_in()), flush=True)


def serve_alone(
    settings: Settings, listener: socket.socket, welcome: Welcome, *, with_link: bool
) -> None:
    """Serve in this process until SIGTERM or SIGINT. Raises SetupError where it cannot start."""
    runtime = open_runtime(settings, "web")
    server: _Server

    def end(*_: object) -> None:
        server.should_exit = True

    async def make_sign_in() -> str | None:
        return await _make_link(runtime, find_base(settings, listener)) if with_link else None

    server = _Server(configure_server(build_app(runtime, on_failure=end)), welcome, make_sign_in)
    # Once all is done uvicorn raises the signal again for whoever handled it before: by default
    # that would kill us, and an orderly end would look like a failure.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    # A start that fails ends so; what it was, is said below.
    with contextlib.suppress(SystemExit):
        server.run(sockets=[listener])
    if runtime.failure is not None:
        raise runtime.failure
    if not server.started:
        raise SetupError("the service could not start; the lines above say why")


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
        shutil.rmtree(os.environ[MULTIPROCESS_VARIABLE], ignore_errors=True)
        os.kill(os.getpid(), signal.SIGTERM)
