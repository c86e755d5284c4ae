"""Serves a simulator over real sockets: for good as a command, or for a while beside a test."""

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
    """A server that lets go of the calls a fault holds before it waits for them to end."""

    def __init__(self, app: SimulatorApp, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.simulator.release()
        await super().shutdown(sockets)


class _GuestServer(_Server):
    """A server that leaves the signals to the process it is a guest of, and ends at once."""

    def __init__(self, app: SimulatorApp, config: uvicorn.Config) -> None:
        super().__init__(app, config)
        self._ended = asyncio.Event()

    async def main_loop(self) -> None:
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TICK_SECONDS):
                    await self._ended.wait()

    def end(self) -> None:
        """Have it end without waiting for its next tick: tests begin and end many servers."""
        self.should_exit = True
        self._ended.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def serve(app: SimulatorApp, listener: socket.socket) -> None:
    _Server(app, _configure(app)).run(sockets=[listener])


@contextlib.asynccontextmanager
async def serving(app: SimulatorApp, port: int = 0) -> AsyncIterator[str]:
    """Serve in the running event loop while the block lasts; gives the base URL."""
    with listen("127.0.0.1", port) as listener:
        # The process it is a guest of has set up its log already.
        server = _GuestServer(app, _configure(app, log_config=None))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            # The socket listens already: whoever connects before the server is up is queued.
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.end()
            await task


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens already. Raises OSError where it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY only where the protocol is named, which socket.create_server leaves
    # out: every second answer on a connection would then wait 40 ms for the peer's delayed ACK.
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
