"""Writes to a connection, and notices a caller who does not read."""

import asyncio

# How long a caller may stop reading an answer, and how many bytes count as reading.
WRITE_TIMEOUT_SECONDS = 30.0
MIN_READ_BYTES = 4 * 1024


class Output:
    """Writes to the transport; `is_blocked` while the caller leaves too much of it unread."""

    def __init__(self, transport: asyncio.Transport, now: float) -> None:
        self._transport = transport
        self._writable: asyncio.Event | None = None
        self._written = 0
        self._read = 0
        self._read_at = now

    @property
    def is_blocked(self) -> bool:
        return self._writable is not None

    def write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._written += len(data)
            self._transport.write(data)

    def block(self) -> None:
        self._writable = self._writable or asyncio.Event()

    def unblock(self) -> None:
        writable, self._writable = self._writable, None
        if writable is not None:
            writable.set()

    async def wait_until_writable(self) -> None:
        if self._writable is not None:
            await self._writable.wait()

    def is_read(self, now: float) -> bool:
        """Whether the caller is still reading, however slowly; to be called regularly."""
        unread = self._transport.get_write_buffer_size()
        read = self._written - unread
        if not unread or read >= self._read + MIN_READ_BYTES:
            self._read, self._read_at = read, now
        return now - self._read_at < WRITE_TIMEOUT_SECONDS
