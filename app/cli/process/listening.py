"""The sockets of the web processes, how they outlive a restart, and how uvicorn serves them."""

import contextlib
import fcntl
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import uvicorn

from app.domain.errors import SetupError
from app.flows.operations.processes.metrics import MULTIPROCESS_VARIABLE
from app.setting_types import UNIX
from app.settings import Settings

if TYPE_CHECKING:
    from starlette.types import ASGIApp

# Everything must end within 12 s (app/ending.py): requests get 8, the intake's last batch some of
# the rest.
GRACEFUL_SECONDS = 8
# Longer than the usual 60 s of load balancers: if we closed first, a request in flight could be
# lost.
KEEP_ALIVE_SECONDS = 75
BACKLOG = 2048
# By name: a supervisor does not need to import it.
PROTOCOL = "app.api.http.protocol:HttpProtocol"
# systemd hands over sockets as the descriptors from 3 on (sd_listen_fds(3)).
FIRST_DESCRIPTOR = 3
COUNT_VARIABLE, PID_VARIABLE = "LISTEN_FDS", "LISTEN_PID"


def take_listeners() -> list[socket.socket]:
    """The sockets that systemd, or this process before its restart, handed over.

    Raises SetupError if one of them cannot be used.
    """
    if os.environ.pop(PID_VARIABLE, "") != str(os.getpid()):
        return []
    # Before a restart this process may have had children: Python's resource tracker is one.
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    count = os.environ.pop(COUNT_VARIABLE, "")
    descriptors = range(FIRST_DESCRIPTOR, FIRST_DESCRIPTOR + int(count or 0))
    return [_take_listener(each) for each in descriptors]


def _take_listener(descriptor: int) -> socket.socket:
    try:
        os.set_inheritable(descriptor, False)
        listener = socket.socket(fileno=descriptor)
        is_fit = listener.type == socket.SOCK_STREAM and listener.getsockopt(
            socket.SOL_SOCKET, socket.SO_ACCEPTCONN
        )
    except OSError:
        is_fit = 0
    if not is_fit:
        raise SetupError(
            f"{COUNT_VARIABLE}: descriptor {descriptor} is not a listening stream socket; use"
            " ListenStream= and Accept=no in the .socket unit"
        )
    return listener


def restart_with(listeners: Sequence[socket.socket]) -> NoReturn:
    """Begin this process's command anew, with the same process id and these sockets.

    Nobody is refused meanwhile: the kernel keeps connections until the new start accepts them.
    """
    end = FIRST_DESCRIPTOR + len(listeners)
    # First out of the way, because they may already have some of these numbers.
    moved = [fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, end) for each in listeners]
    for number, descriptor in enumerate(moved):
        os.dup2(descriptor, FIRST_DESCRIPTOR + number)
    handed = {COUNT_VARIABLE: str(len(listeners)), PID_VARIABLE: str(os.getpid())}
    kept = {name: value for name, value in os.environ.items() if name != MULTIPROCESS_VARIABLE}
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], kept | handed)  # noqa: S606


def listen(settings: Settings) -> socket.socket:
    """Listen on HOST and PORT. Raises SetupError if that is impossible."""
    is_unix = settings.host.startswith(UNIX)
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(socket.AF_UNIX if is_unix else family, socket.SOCK_STREAM)
    try:
        if is_unix:
            _bind_path(listener, settings.host.removeprefix(UNIX))
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((settings.host, settings.port))
        # Two processes that start at once may both bind, but only one can listen. Callers wait
        # until this one has started, instead of being refused.
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        place = settings.host if is_unix else f"{settings.host}:{settings.port}"
        other = "path" if is_unix else "address or port"
        raise SetupError(
            f"LETTERBOX_HOST, LETTERBOX_PORT: cannot listen on {place}"
            f" ({error.strerror or error}); choose another {other}"
        ) from None
    listener.set_inheritable(True)
    return listener


def _bind_path(listener: socket.socket, path: str) -> None:
    """Replaces the file of an ended process. Whoever can reach the path may connect."""
    with socket.socket(socket.AF_UNIX) as other:
        try:
            other.connect(path)
        except ConnectionRefusedError:
            if Path(path).is_socket():
                Path(path).unlink()
        except OSError:
            pass  # bind() says what is wrong
    listener.bind(path)
    Path(path).chmod(0o666)


def find_address(listener: socket.socket) -> dict[str, str | int]:
    """The socket's own HOST and PORT, which the system or systemd may have chosen."""
    if listener.family == socket.AF_UNIX:
        return {}
    host, port = listener.getsockname()[:2]
    return {"host": host, "port": port}


def configure_server(app: "ASGIApp") -> uvicorn.Config:
    """The server of an application."""
    return uvicorn.Config(
        app,
        loop="uvloop",
        http=PROTOCOL,
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
