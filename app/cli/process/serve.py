"""Starts the web processes: the lock, the socket, and the welcome text.

The application is imported last: callers wait meanwhile instead of being refused, errors are
reported at once, and a supervisor never needs it.
"""

import contextlib
import gc
import multiprocessing
import os
import resource
import shlex
import signal
import socket
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from multiprocessing.context import SpawnProcess
from pathlib import Path
from urllib.parse import quote

from app.cli.process.listening import find_address, listen, restart_with, take_listeners
from app.cli.process.supervise import Supervisor
from app.domain.errors import SetupError
from app.ending import RESTART_SIGNAL
from app.flows.operations.processes.metrics import MULTIPROCESS_VARIABLE, forget_process
from app.settings import Settings
from app.shared_secrets import SharedSecrets, find_secrets
from app.storage.data_dir import DataDir

MOST_FILES = 65_536
MEMORY = "/dev/shm"  # noqa: S108 the folder inside it gets a random name and mode 0700
# If a link must not be printed or cannot be made yet.
LINK_COMMAND = "letterbox login-link"
A_TEXT = "source=447700900123&dest=447700900456&msg=Hello&id=1&receivedts="


def serve(settings: Settings, *, show_secrets: bool) -> None:
    """Serve until a signal. Raises SetupError if it cannot start."""
    # Until it is handled, it would end the process.
    signal.signal(RESTART_SIGNAL, signal.SIG_IGN)
    _allow_many_connections()
    listeners = take_listeners()
    data_dir = DataDir.open(settings.data_dir)
    held = [] if settings.is_postgres else data_dir.hold_alone(settings.sqlite_path)
    shared = find_secrets(settings, data_dir)
    is_chosen = bool(settings.port and not listeners)
    listeners = listeners or [listen(settings)]
    address = {} if is_chosen else find_address(listeners[0])
    settings = settings.model_copy(update=address)

    def welcome(sign_in: str | None) -> str:
        now = datetime.now(settings.zone)
        return describe_start(settings, shared, sign_in, show_secrets=show_secrets, now=now)

    try:
        if settings.processes == 1:
            from app.cli.process.web import serve_alone  # noqa: PLC0415 see above

            kept = serve_alone(settings, listeners, welcome, with_link=show_secrets)
        else:
            gc.enable()
            kept = _serve_many(settings, listeners, address, welcome(None))
    finally:
        for descriptor in held:
            os.close(descriptor)
    if kept:
        restart_with(kept)


def _allow_many_connections() -> None:
    """Raise the limit on open files: with 1,024, idle connections could keep the provider out."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def describe_start(
    settings: Settings,
    shared: SharedSecrets,
    sign_in: str | None,
    *,
    show_secrets: bool,
    now: datetime,
) -> str:
    """What a newcomer needs next, with commands to paste into a shell.

    Unless secrets may be shown, files or variables stand for them. `now` is in the provider's zone.
    """
    folder, base = settings.data_dir, settings.base_url
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
    """What a shell replaces with the secret."""
    if name in shared.generated:
        return f"$(cat {shlex.quote(str(folder / name))})"
    return f"$LETTERBOX_{name.upper()}"


def _serve_many(
    settings: Settings,
    listeners: Sequence[socket.socket],
    address: Mapping[str, str | int],
    welcome: str,
) -> Sequence[socket.socket]:
    """Returns the sockets to hand over if a restart was requested."""
    # Metrics are mapped files: on a full disk the first write to one is a SIGBUS.
    place = MEMORY if os.access(MEMORY, os.W_OK) else None
    spawning = multiprocessing.get_context("spawn")

    def start() -> SpawnProcess:
        process = spawning.Process(target=_serve_one, args=(listeners, address))
        process.start()
        return process

    def refuse() -> None:
        for each in listeners:
            each.close()

    supervisor = Supervisor(start, settings.processes, on_death=forget_process, on_stop=refuse)
    with tempfile.TemporaryDirectory(prefix="letterbox-figures-", dir=place) as figures:
        os.environ[MULTIPROCESS_VARIABLE] = figures
        # If nobody reads the output, or the disk is full, the service still runs.
        with contextlib.suppress(OSError):
            print(welcome, flush=True)
        can_run = supervisor.run()
    if not can_run:
        raise SetupError("the service could not run; the lines above say why")
    return listeners if supervisor.end.restarts else ()


def _serve_one(listeners: list[socket.socket], address: Mapping[str, str | int]) -> None:
    gc.disable()
    from app.cli.process.web import serve_supervised  # noqa: PLC0415 see above

    serve_supervised(listeners, address)
