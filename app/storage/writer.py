"""The one thread that owns SQLite's only writing connection in this process."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine

T = TypeVar("T")

Job = Callable[[Connection], Any]


class WriterThread:
    """Runs jobs one after another; an intake batch waits for at most one other job.

    Two writers on one SQLite file fight for its lock and most of the throughput is gone, so all
    that a process writes goes through here.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._ready = threading.Condition()
        self._intake: deque[tuple[Job, asyncio.Future[Any]]] = deque()
        self._others: deque[tuple[Job, asyncio.Future[Any]]] = deque()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="sqlite-writer", daemon=True)
        self._thread.start()

    def submit(self, job: Callable[[Connection], T], *, intake: bool = False) -> asyncio.Future[T]:
        """Queue a job; it runs with no transaction open and must leave none open."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        with self._ready:
            (self._intake if intake else self._others).append((job, future))
            self._ready.notify()
        return future

    def close(self) -> None:
        """Finish what is queued, then end the thread. Blocks."""
        with self._ready:
            self._closing = True
            self._ready.notify()
        self._thread.join()

    def _run(self) -> None:
        connection: Connection | None = None
        while (task := self._next()) is not None:
            job, future = task
            try:
                if connection is None:
                    connection = self._engine.connect()
                outcome = job(connection)
            except BaseException as error:  # noqa: BLE001 the waiter gets it, the thread lives on
                if connection is not None:
                    connection.rollback()
                _resolve(future, _set_exception, error)
            else:
                _resolve(future, _set_result, outcome)
        if connection is not None:
            connection.close()

    def _next(self) -> tuple[Job, asyncio.Future[Any]] | None:
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
