"""The thread that owns this process's only writing connection to SQLite."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Engine

T = TypeVar("T")


class WriterListener(Protocol):
    """Is called, in the thread, with what happens to the connection."""

    def on_connected(self, connection: Connection) -> None: ...

    def on_done(self, connection: Connection) -> None: ...

    def on_failed(self, error: BaseException) -> None: ...


class WriterThread:
    """Runs jobs one after another; an intake batch waits for at most one other job.

    Two writers on one SQLite file compete for its lock, which costs most of the throughput, so a
    process writes everything here.
    """

    def __init__(self, engine: Engine, listener: WriterListener) -> None:
        self._engine = engine
        self._listener = listener
        self.connection: Connection | None = None
        self._ready = threading.Condition()
        self._intake: deque[tuple[Callable[[], Any], asyncio.Future[Any]]] = deque()
        self._others: deque[tuple[Callable[[], Any], asyncio.Future[Any]]] = deque()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="sqlite-writer", daemon=True)
        self._thread.start()

    def submit(self, job: Callable[[Connection], T], *, intake: bool = False) -> asyncio.Future[T]:
        """Queue a job; it runs with no transaction open and must leave none open."""
        return self._put(lambda: job(self._connect()), intake=intake)

    def submit_alone(self, job: Callable[["WriterThread"], None]) -> asyncio.Future[None]:
        """Queue a job that may `disconnect`: later jobs then get a new connection."""
        return self._put(lambda: job(self), intake=True)

    def close(self) -> None:
        """Finish what is queued, then end the thread. Blocks."""
        with self._ready:
            self._closing = True
            self._ready.notify()
        self._thread.join()

    def _put(self, work: Callable[[], Any], *, intake: bool) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        with self._ready:
            (self._intake if intake else self._others).append((work, future))
            self._ready.notify()
        return future

    def _run(self) -> None:
        while (task := self._next()) is not None:
            work, future = task
            try:
                outcome = work()
            except BaseException as error:  # noqa: BLE001 the waiter gets it, the thread lives on
                self._listener.on_failed(error)
                if self.connection is not None:
                    self.connection.rollback()
                _resolve(future, _set_exception, error)
            else:
                _resolve(future, _set_result, outcome)
                if self.connection is not None:
                    self._listener.on_done(self.connection)
        self.disconnect()

    def _connect(self) -> Connection:
        if self.connection is None:
            self.connection = self._engine.connect()
            self._listener.on_connected(self.connection)
        return self.connection

    def disconnect(self) -> None:
        """Close the connection; only in the thread."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def _next(self) -> tuple[Callable[[], Any], asyncio.Future[Any]] | None:
        with self._ready:
            while not (self._intake or self._others or self._closing):
                self._ready.wait()
            if self._intake:
                return self._intake.popleft()
            return self._others.popleft() if self._others else None


def _resolve(
    future: asyncio.Future[Any],
    how: Callable[[asyncio.Future[Any], Any], None],
    value: Any,
) -> None:
    loop = future.get_loop()
    if not loop.is_closed():
        loop.call_soon_threadsafe(how, future, value)


def _set_result(future: asyncio.Future[Any], value: Any) -> None:
    if not future.done():
        future.set_result(value)


def _set_exception(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
