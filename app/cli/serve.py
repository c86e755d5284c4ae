"""Starts the web processes: the lock, the socket, and what a newcomer is told.

The application is imported last: whoever calls meanwhile waits instead of being refused, what
stands in a start's way is told at once, and a supervisor never needs it.
"""

import contextlib
import multiprocessing
import os
import resource
import shlex
import socket
import tempfile
from datetime import datetime
from multiprocessing.context import SpawnProcess
from pathlib import Path
from urllib.parse import quote

from app.cli.listening import find_base, listen
from app.cli.supervise import Supervisor
from app.domain.errors import SetupError
from app.flows.metrics import MULTIPROCESS_VARIABLE, forget_process
from app.settings import Settings
from app.shared_secrets import SharedSecrets, find_secrets
from app.storage.data_dir import DataDir

MOST_FILES = 65_536
MEMORY = "/dev/shm"  # noqa: S108 the folder inside it gets a random name and mode 0700
# Where a link may not be printed or cannot be made yet.
LINK_COMMAND = "letterbox login-link"
A_TEXT = "source=447700900123&dest=447700900456&msg=Hello&id=1&receivedts="


def serve(settings: Settings, *, show_secrets: bool) -> None:
    """Serve until SIGTERM or SIGINT. Raises SetupError where it cannot start."""
    _allow_many_connections()
    data_dir = DataDir.open(settings.data_dir)
    held = [] if settings.is_postgres else data_dir.hold_alone(settings.sqlite_path)
    shared = find_secrets(settings, data_dir)
    listener = listen(settings)
    base = find_base(settings, listener)

    def welcome(sign_in: str | None) -> str:
        now = datetime.now(settings.zone)
        return describe_start(settings, shared, base, sign_in, show_secrets=show_secrets, now=now)

    try:
        if settings.processes == 1:
            from app.cli.web import serve_alone  # noqa: PLC0415 see above

            serve_alone(settings, listener, welcome, with_link=show_secrets)
        else:
            _serve_many(settings, listener, welcome(None))
    finally:
        for descriptor in held:
            os.close(descriptor)


def _allow_many_connections() -> None:
    """Strangers' idle connections must not use up what the provider's need: 1,024 is soon too few.

    A machine that refuses it leaves it as it is.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def describe_start(
    settings: Settings,
    shared: SharedSecrets,
    base: str,
    sign_in: str | None,
    *,
    show_secrets: bool,
    now: datetime,
) -> str:
    """What a newcomer needs next, the commands ready to be pasted into a shell.

    Secrets stand there as the files or variables that hold them unless they may be shown. `now` is
    in the zone of the provider's times.
    """
    folder = settings.data_dir
    auth, key = shared.inbound_auth, shared.api_key
    in_url, header = quote(auth, safe=""), f"Authorization: Bearer {key}"
    header = f'"{header}"' if key == quote(key, safe="") else shlex.quote(header)
    if not show_secrets:
        auth = in_url = _name_secret("inbound_auth", shared, folder)
        header = f'"Authorization: Bearer {_name_secret("api_key", shared, folder)}"'
    where = "PostgreSQL" if settings.is_postgres else settings.sqlite_path
    text = f"{A_TEXT}{now:%Y-%m-%d+%H:%M:%S}&auth={in_url}"
    return f"""Letterbox is running at {base}

  Sign in to the inbox (works once, expires in 15 minutes):
    {sign_in or LINK_COMMAND}

  Paste into the provider's page for your number ("manage VMN"):
    URL   {base}/inbound
    auth  {auth}

  Text the number, or play the provider:
    curl "{base}/inbound?{text}"

  Ask for the messages (this key opens everything):
    curl -H {header} {base}/api/v1/messages

  The interface is described at {base}/docs
  Messages are stored in {where}; everything else in {folder.resolve()}
"""


def _name_secret(name: str, shared: SharedSecrets, folder: Path) -> str:
    """What a shell puts the secret in the place of."""
    if name in shared.generated:
        return f"$(cat {shlex.quote(str(folder / name))})"
    return f"$LETTERBOX_{name.upper()}"


def _serve_many(settings: Settings, listener: socket.socket, welcome: str) -> None:
    # Figures lie in mapped files: on a disk that is full the first write to one is a SIGBUS.
    place = MEMORY if os.access(MEMORY, os.W_OK) else None
    spawning = multiprocessing.get_context("spawn")

    def start() -> SpawnProcess:
        process = spawning.Process(target=_serve_one, args=(listener,))
        process.start()
        return process

    supervisor = Supervisor(start, settings.processes, on_death=forget_process)
    with tempfile.TemporaryDirectory(prefix="letterbox-figures-", dir=place) as figures:
        os.environ[MULTIPROCESS_VARIABLE] = figures
        # If nobody reads the output, or the disk is full, the service still runs.
        with contextlib.suppress(OSError):
            print(welcome, flush=True)
        can_run = supervisor.run()
    if not can_run:
        raise SetupError("the service could not run; the lines above say why")


def _serve_one(listener: socket.socket) -> None:
    from app.cli.web import serve_supervised  # noqa: PLC0415 see above

    serve_supervised(listener)
