"""One HTTP exchange with the provider: its timeouts, and what a failure means for the call."""

import asyncio
import ssl
from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol, Self

import httpcore2
import httpx2

from app.domain.provider_errors import (
    CallBroken,
    ProviderError,
    TooManyReports,
    Unreachable,
    UnreadableAnswer,
)
from app.provider.environment import open_pool
from app.provider.http_statuses import check_status, find_header
from app.provider.wire import Form, encode_form

# Common web servers close an idle connection after 5 s: a call made at that moment would have an
# unknown outcome.
KEEPALIVE_SECONDS = 3.0
# Reports do not count as calls, so that calls can be made while one is read. Downloads count by
# themselves, because a stalled one must not hold up our own reports.
REPORTS_AT_ONCE = 2

_BEFORE_LEAVING = (
    httpcore2.ConnectError,
    httpcore2.ConnectTimeout,
    httpcore2.PoolTimeout,
    httpcore2.ProxyError,
    httpcore2.UnsupportedProtocol,
)
_FAILURES = (
    *_BEFORE_LEAVING,
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.TimeoutException,
    httpx2.DecodingError,
    TimeoutError,
)
_HEADERS = (
    (b"User-Agent", b"Letterbox"),
    (b"Accept", b"*/*"),
    # A compressed chunk may expand to a thousand times its size.
    (b"Accept-Encoding", b"identity"),
    (b"Connection", b"keep-alive"),
    (b"Content-Type", b"application/x-www-form-urlencoded"),
)


class Pool(Protocol):
    """Connections to the provider: the HTTP library's, or what a test puts in their place."""

    async def handle_async_request(self, request: httpcore2.Request) -> httpcore2.Response: ...

    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. `total` is for a whole call, or for all the waiting that reading a report takes."""

    connect: float = 10
    write: float = 10
    read: float = 30
    total: float = 60
    report_total: float = 900


class _Body:
    """A request's body, which holds the token and the message; it knows whether it has begun to
    leave.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.left = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """The library asks for it when all that comes first has been sent."""
        if self.left:
            raise StopAsyncIteration
        self.left = True
        return self.content


class Exchange:
    """The connections to the provider.

    The token is only in the body: no URL, log line or exception of the HTTP library has it. Errors
    are raised outside the handlers, so that they do not refer to exceptions that hold the request.
    TLS is verified against the system's store, unless `tls` is given. The library's pool is called
    directly: its client takes longer for a call than all the rest. No redirect is followed and no
    cookie kept; a session's would make PHP answer calls one after the other.
    """

    def __init__(
        self,
        url: httpx2.URL,
        token: str,
        *,
        timeouts: Timeouts,
        concurrency: int,
        tls: ssl.SSLContext | None,
        pool: Pool | None,
    ) -> None:
        self._url = httpcore2.URL(
            scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
        )
        self._headers = [(b"Host", url.netloc), *_HEADERS, *_sign_in(url)]
        self._token = token
        self._timeouts = timeouts
        # Connecting and the TLS handshake must time out before the total does, so that the failure
        # is known to be theirs.
        connect = min(timeouts.connect, timeouts.total / 2)
        self._limits = {
            "connect": connect,
            "write": timeouts.write,
            "read": timeouts.read,
            "pool": connect,
        }
        self._calls = asyncio.Semaphore(concurrency)
        self._reports = asyncio.Semaphore(REPORTS_AT_ONCE)
        self._handed_on = asyncio.Semaphore(REPORTS_AT_ONCE)
        self._pool: Pool | None = pool
        self.fault = ""
        if pool is None:
            # Proxies and certificates come from the environment, and may be unusable.
            self._pool, self.fault = open_pool(
                url,
                tls,
                connections=concurrency + 2 * REPORTS_AT_ONCE,
                keepalive_seconds=KEEPALIVE_SECONDS,
            )

    async def aclose(self) -> None:
        if self._pool is not None:
            await self._pool.aclose()

    async def fetch(self, form: Form, *, max_bytes: int) -> bytes:
        """Make one call and return the body of its answer.

        Raises Unreachable, CallBroken, a StatusAnswer, and UnreadableAnswer above `max_bytes`.
        """
        body = self._make_body(form)
        failure: Exception
        async with self._calls:
            try:
                async with asyncio.timeout(self._timeouts.total):
                    return await self._fetch(body, max_bytes)
            except _FAILURES as error:
                failure = _explain(error, body)
        raise failure

    async def _fetch(self, body: _Body, max_bytes: int) -> bytes:
        response = await self._call(body)
        try:
            check_status(response)
            answer = bytearray()
            async with aclosing(_iterate(response)) as chunks:
                async for chunk in chunks:
                    answer += chunk
                    if len(answer) > max_bytes:
                        raise UnreadableAnswer(f"The answer has more than {max_bytes} bytes")
            return bytes(answer)
        finally:
            await response.aclose()

    @asynccontextmanager
    async def stream(
        self, form: Form, *, is_handed_on: bool
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Make one call and yield the body of its answer in chunks, as they come.

        Raises what `fetch` raises, on entering or between chunks. Only time spent waiting for the
        provider counts, however slowly the chunks are read. `is_handed_on`: somebody else reads
        them; raises TooManyReports if too many do already.
        """
        body = self._make_body(form)
        failure: Exception | None = None
        response: httpcore2.Response | None = None
        async with self._take_place(is_handed_on=is_handed_on):
            try:
                async with asyncio.timeout(self._timeouts.total):
                    response = await self._call(body)
            except _FAILURES as error:
                failure = _explain(error, body)
            if failure or response is None:
                raise failure or CallBroken("The provider gave no answer")
            try:
                check_status(response)
                async with aclosing(self._read_chunks(response, body)) as chunks:
                    yield chunks
            finally:
                await response.aclose()

    @asynccontextmanager
    async def _take_place(self, *, is_handed_on: bool) -> AsyncIterator[None]:
        if not is_handed_on:
            async with self._reports:
                yield
            return
        try:
            async with asyncio.timeout(self._timeouts.connect):
                await self._handed_on.acquire()
        except TimeoutError:
            busy = f"{REPORTS_AT_ONCE} reports are being read already: let one of them end first"
            raise TooManyReports(busy) from None
        try:
            yield
        finally:
            self._handed_on.release()

    async def _read_chunks(
        self, response: httpcore2.Response, body: _Body
    ) -> AsyncGenerator[bytes]:
        loop = asyncio.get_running_loop()
        left_seconds = self._timeouts.report_total
        failure: ProviderError | None = None
        async with aclosing(_iterate(response)) as chunks:
            while failure is None:
                began = loop.time()
                try:
                    async with asyncio.timeout(left_seconds):
                        chunk = await anext(chunks, None)
                except _FAILURES as error:
                    failure = _explain(error, body)
                    continue
                if chunk is None:
                    return
                left_seconds -= loop.time() - began
                yield chunk
        raise failure

    def _make_body(self, form: Form) -> _Body:
        return _Body(encode_form(form, self._token))

    async def _call(self, body: _Body) -> httpcore2.Response:
        if self._pool is None:
            raise Unreachable(self.fault)
        length = (b"Content-Length", b"%d" % len(body.content))
        request = httpcore2.Request(
            b"POST",
            self._url,
            headers=[*self._headers, length],
            content=body,
            extensions={"timeout": self._limits},
        )
        return await self._pool.handle_async_request(request)


def _sign_in(url: httpx2.URL) -> list[tuple[bytes, bytes]]:
    """The header for a user and password in the URL."""
    if not url.username and not url.password:
        return []
    pair = f"{url.username}:{url.password}".encode()
    return [(b"Authorization", b"Basic " + b64encode(pair))]


class _Encoded(httpx2.AsyncByteStream):
    """What a server compresses though it was asked not to."""

    def __init__(self, response: httpcore2.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async with aclosing(self._response.aiter_stream()) as chunks:
            async for chunk in chunks:
                yield chunk


def _iterate(response: httpcore2.Response) -> AsyncGenerator[bytes]:
    """The body in chunks, decoded."""
    if not find_header(response, b"content-encoding"):
        return response.aiter_stream()
    encoded = httpx2.Response(200, headers=response.headers, stream=_Encoded(response))
    return encoded.aiter_bytes()


def _explain(error: Exception, body: _Body) -> ProviderError:
    kind = type(error).__name__
    if isinstance(error, _BEFORE_LEAVING) or not body.left:
        reason = str(error) or "it took too long"
        return Unreachable(f"The provider cannot be reached: {reason} ({kind})")
    # The library's message is left out, because it may quote what was sent.
    return CallBroken(f"The call broke after it had left, so its outcome is unknown ({kind})")
