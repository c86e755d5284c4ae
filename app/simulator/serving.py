"""Serves a simulator over sockets, as a command or inside a test."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import uvicorn
from uvicorn.config import LOGGING_CONFIG

from app.simulator.application import SimulatorApp
from app.simulator.connection import ResettableProtocol

DEFAULT_PORT = 8100
_GRACE_SECONDS = 1
_TICK_SECONDS = 1


class _Server(uvicorn.Server):
    """A server that releases the calls a fault holds before it waits for them to end."""

    def __init__(self, app: SimulatorApp, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.simulator.release()
        await super().shutdown(sockets)


class _GuestServer(_Server):
    """A server inside another process: leaves the signals to it, and ends at once."""

    def __init__(self, app: SimulatorApp, config: uvicorn.Config) -> None:
        super().__init__(app, config)
        self._ended = asyncio.Event()

    async def main_loop(self) -> None:
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TICK_SECONDS):
                    await self._ended.wait()

    def end(self) -> None:
        """End without waiting for the next tick: tests start and stop many servers."""
        self.should_exit = True
        self._ended.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def serve(app: SimulatorApp, listener: socket.socket) -> None:
    _Server(app, _configure(app)).run(sockets=[listener])


@contextlib.asynccontextmanager
async def serving(app: SimulatorApp, port: int = 0) -> AsyncIterator[str]:
    with listen("127.0.0.1", port) as listener:
        # The process has set up its log already.
        server = _GuestServer(app, _configure(app, log_config=None))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            # The socket listens already: connections are queued until the server is up.
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.end()
            await task


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY only if the protocol is named, which socket.create_server does not:
    # every second answer on a connection would wait 40 ms for the peer's delayed ACK.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1024)
    except OSError:
        listener.close()
        raise
    return listener


def _configure(
    app: SimulatorApp, log_config: dict[str, Any] | None = LOGGING_CONFIG
) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=ResettableProtocol,
        ws="none",
        lifespan="on",
        access_log=False,
        proxy_headers=False,
        log_config=log_config,
        log_level="warning",
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
