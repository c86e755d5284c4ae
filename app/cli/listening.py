"""The socket of the web processes, and how uvicorn serves it."""

import socket
from typing import TYPE_CHECKING

import uvicorn

from app.domain.errors import SetupError
from app.settings import Settings

if TYPE_CHECKING:
    from starlette.types import ASGIApp

# Everything must end within 12 s (app/ending.py): requests get 8, the intake's last batch part of
# the rest.
GRACEFUL_SECONDS = 8
# Longer than the usual 60 s of load balancers: if we closed first, a request in flight could be
# lost.
KEEP_ALIVE_SECONDS = 75
BACKLOG = 2048
# By its name: a process that serves nothing itself does without it.
PROTOCOL = "app.api.protocol:HttpProtocol"


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


def find_base(settings: Settings, listener: socket.socket) -> str:
    """What the service calls itself, also where the system chose the port."""
    if settings.public_url or settings.port:
        return settings.base_url
    return settings.model_copy(update={"port": listener.getsockname()[1]}).base_url


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
