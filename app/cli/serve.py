"""Starts the web processes: the socket, uvicorn, and what a newcomer is told."""

import contextlib
import multiprocessing
import os
import resource
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import structlog
import uvicorn
from starlette.types import ASGIApp
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors.multiprocess import Multiprocess, Process

from app.api.protocol import BoundedHttpToolsProtocol
from app.cli.login_link import write_link
from app.cli.logs import configure_logging
from app.domain.errors import SetupError, Unavailable
from app.flows.metrics import MULTIPROCESS_VARIABLE, forget_process
from app.flows.sign_in import make_login_link
from app.main import build_app
from app.runtime import Runtime, SharedSecrets, find_secrets, open_runtime
from app.settings import Settings, load_settings
from app.storage.data_dir import DataDir

# Docker kills after 10 s: requests get 8, and the intake's last batch the rest.
GRACEFUL_SECONDS = 8
KEEP_ALIVE_SECONDS = 30
BACKLOG = 2048
MOST_FILES = 65_536
MEMORY = "/dev/shm"  # noqa: S108 the folder inside it gets a random name and mode 0700
# Where a link may not be printed or cannot be made yet.
LINK_COMMAND = "letterbox login-link"
LINK_NAME = "admin"
A_TEXT = "source=447700900123&dest=447700900456&msg=Hello&id=1"

# What a newcomer is told, given the link that signs in or the command that makes one.
Welcome = Callable[[str], str]

log = structlog.get_logger("letterbox")


def serve(settings: Settings, *, show_secrets: bool) -> None:
    """Serve until SIGTERM or SIGINT. Raises SetupError where it cannot start."""
    _allow_many_connections()
    data_dir = DataDir.open(settings.data_dir)
    lock = None if settings.is_postgres else data_dir.lock()
    shared = find_secrets(settings, data_dir)
    listener = listen(settings)
    base = find_base(settings, listener)

    def welcome(sign_in: str) -> str:
        return describe_start(settings, shared, base, sign_in, show_secrets=show_secrets)

    try:
        if settings.processes == 1:
            serve_alone(settings, listener, welcome, with_link=show_secrets)
        else:
            _serve_many(settings, listener, welcome(LINK_COMMAND))
    finally:
        if lock is not None:
            os.close(lock)


def _allow_many_connections() -> None:
    """Strangers' idle connections must not use up what the provider's need: 1,024 is soon too few.

    A machine that refuses it leaves it as it is.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


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


def find_base(settings: Settings, listener: socket.socket) -> str:
    """What the service calls itself, also where the system chose the port."""
    if settings.public_url or settings.port:
        return settings.base_url
    return settings.model_copy(update={"port": listener.getsockname()[1]}).base_url


def describe_start(
    settings: Settings, shared: SharedSecrets, base: str, sign_in: str, *, show_secrets: bool
) -> str:
    """What a newcomer needs next, the commands ready to be pasted into a shell.

    Secrets stand there as the files or variables that hold them unless they may be shown.
    """
    folder = settings.data_dir
    shown = {"inbound_auth": shared.inbound_auth, "api_key": shared.api_key}
    for name in shown:
        if name not in shared.generated:
            shown[name] = f"$LETTERBOX_{name.upper()}"
        elif not show_secrets:
            shown[name] = f"$(cat {folder / name})"
    where = "PostgreSQL" if settings.is_postgres else settings.sqlite_path
    return f"""Letterbox is running at {base}

  Sign in to the inbox, once and within 15 minutes:
    {sign_in}

  Paste into the provider's page for your number ("manage VMN"):
    URL   {base}/inbound
    auth  {shown["inbound_auth"]}

  Text the number, or play the provider:
    curl "{base}/inbound?{A_TEXT}&auth={shown["inbound_auth"]}"

  Ask for the messages (this key opens everything):
    curl -H "Authorization: Bearer {shown["api_key"]}" {base}/api/v1/messages

  The interface is described at {base}/docs
  Messages lie in {where}, all else in {folder.resolve()}
"""


def listen(settings: Settings) -> socket.socket:
    """The socket of HOST and PORT. Raises SetupError where it cannot be had."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        # Two that start at once may both bind, but one alone listens. And whoever calls while this
        # one starts waits a moment instead of being refused.
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise SetupError(
            f"LETTERBOX_HOST, LETTERBOX_PORT: cannot listen on {settings.host}:{settings.port}"
            f" ({error.strerror}); choose another port"
        ) from None
    listener.set_inheritable(True)
    return listener


class _Server(uvicorn.Server):
    """Says where it listens once it does."""

    def __init__(
        self, config: uvicorn.Config, welcome: Welcome, make_sign_in: Callable[[], Awaitable[str]]
    ) -> None:
        super().__init__(config)
        self._welcome = welcome
        self._make_sign_in = make_sign_in

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            print(self._welcome(await self._make_sign_in()), flush=True)


class _Supervisor(Multiprocess):
    """Ends all where one could not start, or found that none should run (SIGUSR1)."""

    failed = False

    def keep_subprocess_alive(self) -> None:
        """Replace those that died.

        uvicorn's own asks each for a sign of life first, and as long as one starts or has just died
        that holds up everything here, SIGTERM too.
        """
        for index, process in enumerate(self.processes):
            if process.process.is_alive():
                continue
            process.join()
            if process.exitcode == STARTUP_FAILURE:
                self.handle_usr1()
                return
            log.warning("process_died", pid=process.pid, exit_code=process.exitcode)
            forget_process(process.pid or 0)
            self.processes[index] = Process(self.config, self.sockets)
            self.processes[index].start()

    def handle_usr1(self) -> None:
        self.failed = True
        self.should_exit.set()


def serve_alone(
    settings: Settings, listener: socket.socket, welcome: Welcome, *, with_link: bool
) -> None:
    """Serve in this process until SIGTERM or SIGINT. Raises SetupError where it cannot start."""
    runtime = open_runtime(settings, "web")
    server: _Server

    def end(*_: object) -> None:
        server.should_exit = True

    async def make_sign_in() -> str:
        base = find_base(settings, listener)
        return await _make_link(runtime, base) if with_link else LINK_COMMAND

    server = _Server(_configure(build_app(runtime, on_failure=end)), welcome, make_sign_in)
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


async def _make_link(runtime: Runtime, base: str) -> str:
    """A link that signs in, or the command that makes one where the database is away."""
    if not runtime.prepared.is_set():
        return LINK_COMMAND
    try:
        token = await make_login_link(runtime.database, LINK_NAME, now=datetime.now(UTC))
    except Unavailable:
        return LINK_COMMAND
    return write_link(base, token)


def _serve_many(settings: Settings, listener: socket.socket, welcome: str) -> None:
    config = _configure("app.cli.serve:make_app", workers=settings.processes)
    supervisor = _Supervisor(config, sockets=[listener])
    # Figures lie in mapped files: on a disk that is full the first write to one is a SIGBUS.
    place = MEMORY if os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="letterbox-figures-", dir=place) as figures:
        os.environ[MULTIPROCESS_VARIABLE] = figures
        print(welcome, flush=True)
        supervisor.run()
    if supervisor.failed:
        raise SetupError("the service could not run; the lines above say why")


def _configure(app: ASGIApp | str, *, workers: int = 1) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        factory=isinstance(app, str),
        workers=workers,
        loop="uvloop",
        http=BoundedHttpToolsProtocol,
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
    )


def _end_with_supervisor() -> None:
    """Without its supervisor nobody could end this process, and it would keep the port."""
    # Not by comparing getppid(), which tells nothing where the supervisor went before this began.
    supervisor = multiprocessing.parent_process()
    if supervisor is not None:
        supervisor.join()
        shutil.rmtree(os.environ[MULTIPROCESS_VARIABLE], ignore_errors=True)
        os.kill(os.getpid(), signal.SIGTERM)
