"""Plays the provider under load: senders that text one thing after another, and what they got."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.support.service import START_SECONDS, make_forward, wait_until

ANSWER_SECONDS = 10.0
# After a broken connection; as long as a process is down the next try is refused at once.
PAUSE_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Forward:
    """One forward, sent once, as the provider does: `status` 0 where no answer came."""

    message_id: str
    source: str
    status: int
    began: float
    seconds: float


class Load:
    """Senders that each send their next text once the last one is answered, or never will be.

    Their ids count up and are unique over all loads with other names. `refused` counts the
    connections that did not come about. `pause_seconds` may be changed on the way.
    """

    def __init__(
        self,
        *ports: int,
        name: str,
        senders: int,
        pause_seconds: float,
        posts: bool,
        keeps: bool,
        patience_seconds: float,
    ) -> None:
        self.forwards: list[Forward] = []
        self.refused = 0
        self.pause_seconds = pause_seconds
        self._posts = posts
        self._keeps = keeps
        self._patience_seconds = patience_seconds
        self._ports = ports
        self._name = name
        self._senders = senders
        self._stopping = False
        self._thread = threading.Thread(target=lambda: asyncio.run(self._send_all()), daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Let every sender have its last answer."""
        self._stopping = True
        self._thread.join(self._patience_seconds + 5)
        assert not self._thread.is_alive()

    @property
    def acknowledged(self) -> list[Forward]:
        return [each for each in self.forwards if each.status == 200]

    def count(self, status: int = 200) -> int:
        return sum(each.status == status for each in self.forwards)

    def wait_for(self, more: int, status: int = 200, seconds: float = START_SECONDS) -> None:
        """Return once so many more forwards have been answered so."""
        wanted = self.count(status) + more
        wait_until(lambda: self.count(status) >= wanted, seconds=seconds, what=f"{more} x {status}")

    async def _send_all(self) -> None:
        await asyncio.gather(*(self._send(number) for number in range(self._senders)))

    async def _send(self, number: int) -> None:
        source = f"447700900{number:03}"
        port = self._ports[number % len(self._ports)]
        connection: _Connection | None = None
        count = 0
        while not self._stopping:
            if connection is None:
                connection = await _connect(port)
                if connection is None:
                    self.refused += 1
                    await asyncio.sleep(PAUSE_SECONDS)
                    continue
            message_id = f"{self._name}-{number}-{count}"
            count += 1
            began = time.monotonic()
            query = make_forward(message_id, source=source)
            status = await connection.ask(
                query, self._patience_seconds, posts=self._posts, keeps=self._keeps
            )
            taken = time.monotonic() - began
            self.forwards.append(Forward(message_id, source, status, began, taken))
            if connection.is_over:
                connection.close()
                connection = None
            await asyncio.sleep(self.pause_seconds)
        if connection is not None:
            connection.close()


@contextmanager
def sending(
    *ports: int,
    name: str = "load",
    senders: int = 8,
    pause_seconds: float = 0.0,
    posts: bool = False,
    keeps: bool = True,
    patience_seconds: float = ANSWER_SECONDS,
) -> Iterator[Load]:
    """A load for the length of the block, spread over the ports.

    GET on connections that are kept, unless told otherwise.
    """
    load = Load(
        *ports,
        name=name,
        senders=senders,
        pause_seconds=pause_seconds,
        posts=posts,
        keeps=keeps,
        patience_seconds=patience_seconds,
    )
    load.start()
    try:
        yield load
    finally:
        load.stop()


class _Connection:
    """A connection with one request at a time; `is_over` once it takes no more."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.is_over = False

    async def ask(self, query: str, seconds: float, *, posts: bool, keeps: bool) -> int:
        """The status; 0 where no answer comes."""
        head = "Host: x\r\n" + ("" if keeps else "Connection: close\r\n")
        if posts:
            form = "Content-Type: application/x-www-form-urlencoded\r\n"
            head = f"POST /inbound HTTP/1.1\r\n{head}{form}Content-Length: {len(query)}\r\n"
            request = f"{head}\r\n{query}"
        else:
            request = f"GET /inbound?{query} HTTP/1.1\r\n{head}\r\n"
        try:
            async with asyncio.timeout(seconds):
                self._writer.write(request.encode())
                answer = (await self._reader.readuntil(b"\r\n\r\n")).lower()
                length = answer.split(b"content-length: ")[1].split(b"\r\n")[0]
                await self._reader.readexactly(int(length))
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            self.is_over = True
            return 0
        self.is_over = b"\r\nconnection: close\r\n" in answer
        return int(answer[9:12])

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._writer.close()


async def _connect(port: int) -> _Connection | None:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return _Connection(*await asyncio.open_connection("127.0.0.1", port))
    except (OSError, TimeoutError):
        return None
