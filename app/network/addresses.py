"""Connects to a name's address after a look at it: resolved once, so that it cannot change between.

The HTTP library still knows the name, for the Host header and for TLS.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import httpcore2

from app.domain.webhooks.networks import Address
from app.network.sockets import SocketBackend

# Resolving blocks a thread, for as long as a name server takes: threads of their own.
RESOLVING_AT_ONCE = 16
# A name with more addresses than this is tried with the first ones.
MOST_TRIED = 4

# The addresses of a name, in the order in which to try them. Raises OSError.
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class AddressRefused(httpcore2.ConnectError):
    """Nothing was called, because no address of the name may be."""


class Resolver:
    """Resolves names as the system does."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(RESOLVING_AT_ONCE, "resolve")

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, _resolve, host, port)
        return list(dict.fromkeys(found))

    def close(self) -> None:
        """Those that still hang end with the process."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _resolve(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(each[4][0]) for each in found]


class CheckedBackend(httpcore2.AsyncNetworkBackend):
    """Opens connections to addresses that `may_call` accepts, and to no others."""

    def __init__(self, resolve: Resolve, may_call: Callable[[Address], bool]) -> None:
        self._resolve = resolve
        self._may_call = may_call
        self._network = SocketBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 the library's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Raises AddressRefused, and ConnectError where nothing answers."""
        addresses = await self._find_addresses(host, port)
        failure: httpcore2.ConnectError | None = None
        for address in addresses[:MOST_TRIED]:
            try:
                return await self._network.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except httpcore2.ConnectError as error:
                failure = error
        raise failure or AddressRefused

    async def _find_addresses(self, host: str, port: int) -> list[str]:
        try:
            found = await self._resolve(host, port)
        except (OSError, UnicodeError):
            raise httpcore2.ConnectError("the name cannot be resolved") from None
        allowed = [each for each in found if self._may_call(ipaddress.ip_address(each))]
        if not allowed:
            raise AddressRefused
        return allowed


def explain_tls(error: BaseException) -> str | None:
    """Why a certificate was refused, if that is what an error is about."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the certificate is not valid ({cause.verify_message})"
        cause = cause.__cause__ or cause.__context__
    return None
