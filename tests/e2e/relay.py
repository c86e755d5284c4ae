"""A network between a service and its database that can be cut."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any


class Relay:
    """Passes connections to its `port` on to another. Runs in a thread of its own."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        # So short a queue that, while nobody accepts, attempts to connect get no answer at all.
        self._listener.listen(1)
        self._listener.setblocking(False)
        self.port = int(self._listener.getsockname()[1])
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._sockets: list[socket.socket] = []
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self) -> None:
        self._thread.start()
        self.mend()

    def cut(self) -> None:
        """Packets vanish from now on: nothing comes through and nobody hears of an end."""
        asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result(5)

    def mend(self) -> None:
        """New connections come through; a firewall in between has forgotten the old ones."""
        asyncio.run_coroutine_threadsafe(self._mend(), self._loop).result(5)

    def close(self) -> None:
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()
        for each in (*self._sockets, self._listener):
            each.close()

    async def _cut(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    async def _mend(self) -> None:
        self._spawn(self._accept())

    async def _accept(self) -> None:
        while True:
            near, _ = await self._loop.sock_accept(self._listener)
            far = socket.socket()
            self._sockets += [near, far]
            for each in (near, far):
                each.setblocking(False)
            try:
                await self._loop.sock_connect(far, ("127.0.0.1", self._target))
            except OSError:
                near.close()
                continue
            self._spawn(self._pump(near, far))
            self._spawn(self._pump(far, near))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.add(self._loop.create_task(work))

    async def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := await self._loop.sock_recv(source, 65536):
                await self._loop.sock_sendall(sink, data)
            sink.shutdown(socket.SHUT_WR)


@contextmanager
def relaying(target: int) -> Iterator[Relay]:
    """A relay to a local port for the length of the block."""
    relay = Relay(target)
    relay.start()
    try:
        yield relay
    finally:
        relay.close()
