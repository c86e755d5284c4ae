"""Connections for the HTTP library, which limit each step's time more cheaply than its own.

The library's own limits, and its search for the socket of every idle connection before each call,
take as long as the rest of what it does for a call.
"""

import asyncio
import select
import socket
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import anyio
import httpcore2
from anyio.abc import ByteStream, SocketAttribute
from anyio.streams.tls import TLSAttribute, TLSStream

_BROKEN = (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream)


class SocketBackend(httpcore2.AsyncNetworkBackend):
    """Connects to the first address of a name that answers."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 the library's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> httpcore2.AsyncNetworkStream:
        with _explained(httpcore2.ConnectTimeout, httpcore2.ConnectError):
            async with asyncio.timeout(timeout):
                return _Stream(await anyio.connect_tcp(host, port, local_host=local_address))


class _Stream(httpcore2.AsyncNetworkStream):
    """One connection, perhaps with TLS. Looks its socket up once."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._socket: socket.socket = stream.extra(SocketAttribute.raw_socket)  # noqa: S610 not Django's

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        with _explained(httpcore2.ReadTimeout, httpcore2.ReadError):
            async with asyncio.timeout(timeout):
                try:
                    return await self._stream.receive(max_bytes)
                except anyio.EndOfStream:
                    return b""

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        if not buffer:
            return
        with _explained(httpcore2.WriteTimeout, httpcore2.WriteError):
            async with asyncio.timeout(timeout):
                await self._stream.send(buffer)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 the library's signature
    ) -> httpcore2.AsyncNetworkStream:
        try:
            with _explained(httpcore2.ConnectTimeout, httpcore2.ConnectError):
                async with asyncio.timeout(timeout):
                    secured = await TLSStream.wrap(
                        self._stream,
                        ssl_context=ssl_context,
                        hostname=server_hostname,
                        # Servers of HTTP often close without saying goodbye.
                        standard_compatible=False,
                        server_side=False,
                    )
        except BaseException:
            # A handshake that fails or is cancelled must not leave its socket open.
            await anyio.aclose_forcefully(self._stream)
            raise
        return _Stream(secured)

    def get_extra_info(self, info: str) -> Any:
        if info == "ssl_object":
            return self._stream.extra(TLSAttribute.ssl_object, None)  # noqa: S610 not Django's
        if info == "is_readable":
            return _is_readable(self._socket)
        return None


@contextmanager
def _explained(too_late: type[Exception], failed: type[Exception]) -> Iterator[None]:
    """Raise the library's own exceptions."""
    try:
        yield
    except TimeoutError:
        raise too_late from None
    except _BROKEN as error:
        raise failed(str(error)) from None


def _is_readable(found: socket.socket) -> bool:
    """Whether there is something to read, such as that the other side has closed it."""
    if found.fileno() < 0:
        return True
    look = select.poll()
    look.register(found, select.POLLIN)
    return bool(look.poll(0))
