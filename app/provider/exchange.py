"""One HTTP exchange with the provider: its timeouts, and what a failure means for the call."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx2

from app.domain.errors import (
    CallBroken,
    ProviderError,
    StatusAnswer,
    TooManyCalls,
    TooManyReports,
    TurnedAway,
    Unreachable,
    UnreadableAnswer,
)
from app.provider.environment import open_client
from app.provider.quoting import clip
from app.provider.wire import Form, encode_form

# Common web servers close an idle connection after 5 s: a call made at that moment would have an
# unknown outcome.
KEEPALIVE_SECONDS = 3.0
# Reports do not count as calls, so that calls can be made while one is read. Downloads count by
# themselves, because a stalled one must not hold up our own reports.
REPORTS_AT_ONCE = 2

_OK = 200
_TOO_MANY_CALLS = 429
# The API always answers 200, so other statuses from 300 to 499 come from a web server or proxy that
# turned the call away; these do not prove that. 511 is a network that wants a sign-in (RFC 6585).
_MAY_BE_TAKEN = frozenset({408, 409, 499})
_SIGN_IN_FIRST = 511
_ADVICE = {
    401: "it asks for a user name and password, which the API never does: check its URL",
    403: "it refuses this machine: ask the provider whether this address may call the API,"
    " and look for a firewall or proxy between",
    407: "a proxy requires a user name and password: add them to the proxy's URL",
    511: "this network requires a sign-in before it lets calls through",
}
_BEFORE_LEAVING = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.ProxyError,
    httpx2.UnsupportedProtocol,
)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. `total` is for a whole call, or for all the waiting that reading a report takes."""

    connect: float = 10
    write: float = 10
    read: float = 30
    total: float = 60
    report_total: float = 900


class _Departure:
    """Whether the request's body, which holds the token and the message, began to leave."""

    def __init__(self, *, left: bool) -> None:
        self.left = left

    async def __call__(self, event: str, _info: object) -> None:
        if event.endswith(".send_request_body.started"):
            self.left = True


class Exchange:
    """The connections to the provider.

    The token is only in the body: no URL, log line or exception of the HTTP library has it. Errors
    are raised outside the handlers, so that they do not refer to exceptions that hold the request.
    TLS is verified against the system's store, unless `tls` is given.
    """

    def __init__(
        self,
        url: httpx2.URL,
        token: str,
        *,
        timeouts: Timeouts,
        concurrency: int,
        tls: ssl.SSLContext | None,
        transport: httpx2.AsyncBaseTransport | None,
    ) -> None:
        self._url = url
        self._token = token
        self._timeouts = timeouts
        self._calls = asyncio.Semaphore(concurrency)
        self._reports = asyncio.Semaphore(REPORTS_AT_ONCE)
        self._handed_on = asyncio.Semaphore(REPORTS_AT_ONCE)
        # Only the library's own transport reports when the body leaves; otherwise assume it has.
        self._is_traced = transport is None or isinstance(transport, httpx2.AsyncHTTPTransport)
        # Connecting and the TLS handshake must time out before the total does: a handshake that is
        # cancelled leaves its socket open.
        connect = min(timeouts.connect, timeouts.total / 2)
        # Proxies and certificates come from the environment, and may be unusable.
        self._client, self.fault = open_client(
            transport=transport,
            verify=tls or True,
            timeout=httpx2.Timeout(
                connect=connect, write=timeouts.write, read=timeouts.read, pool=connect
            ),
            limits=httpx2.Limits(
                max_connections=concurrency + 2 * REPORTS_AT_ONCE,
                keepalive_expiry=KEEPALIVE_SECONDS,
            ),
            headers={
                "User-Agent": "Letterbox",
                # A compressed chunk may expand to a thousand times its size.
                "Accept-Encoding": "identity",
                "Content-Type": "application/x-www-form-urlencoded",
            },
            # A session cookie would make PHP answer calls one after the other.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        )

    async def aclose(self) -> None:
        await self._client.aclose()

    def _check_environment(self) -> None:
        if self.fault:
            raise Unreachable(self.fault)

    async def fetch(self, form: Form, *, max_bytes: int) -> bytes:
        """Make one call and return the body of its answer.

        Raises Unreachable, CallBroken, a StatusAnswer, and UnreadableAnswer above `max_bytes`.
        """
        self._check_environment()
        departure = _Departure(left=not self._is_traced)
        failure: Exception
        async with self._calls:
            try:
                async with asyncio.timeout(self._timeouts.total):
                    return await self._fetch(form, departure, max_bytes)
            except (httpx2.HTTPError, TimeoutError) as error:
                failure = _explain(error, departure)
        raise failure

    async def _fetch(self, form: Form, departure: _Departure, max_bytes: int) -> bytes:
        response = await self._client.send(self._build(form, departure), stream=True)
        try:
            _check_status(response)
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > max_bytes:
                    raise UnreadableAnswer(f"The answer has more than {max_bytes} bytes")
            return bytes(body)
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
        self._check_environment()
        departure = _Departure(left=not self._is_traced)
        failure: Exception | None = None
        response: httpx2.Response | None = None
        async with self._take_place(is_handed_on=is_handed_on):
            try:
                async with asyncio.timeout(self._timeouts.total):
                    request = self._build(form, departure)
                    response = await self._client.send(request, stream=True)
            except (httpx2.HTTPError, TimeoutError) as error:
                failure = _explain(error, departure)
            if failure or response is None:
                raise failure or CallBroken("The provider gave no answer")
            try:
                _check_status(response)
                async with aclosing(self._read_chunks(response, departure)) as chunks:
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
        self, response: httpx2.Response, departure: _Departure
    ) -> AsyncGenerator[bytes]:
        loop = asyncio.get_running_loop()
        left_seconds = self._timeouts.report_total
        chunks = response.aiter_bytes()
        failure: ProviderError | None = None
        while failure is None:
            began = loop.time()
            try:
                async with asyncio.timeout(left_seconds):
                    chunk = await anext(chunks, None)
            except (httpx2.HTTPError, TimeoutError) as error:
                failure = _explain(error, departure)
                continue
            if chunk is None:
                return
            left_seconds -= loop.time() - began
            yield chunk
        raise failure

    def _build(self, form: Form, departure: _Departure) -> httpx2.Request:
        content = encode_form(form, self._token)
        return self._client.build_request(
            "POST", self._url, content=content, extensions={"trace": departure}
        )


def _check_status(response: httpx2.Response) -> None:
    status = response.status_code
    if status != _OK:
        raise _explain_status(status, response)


def _explain_status(status: int, response: httpx2.Response) -> StatusAnswer:
    text = f"The provider answered with HTTP status {status} instead of 200"
    if status == _TOO_MANY_CALLS:
        seconds = _read_retry_after(response)
        text += ": it asks for fewer calls"
        return TooManyCalls(text, status=status, retry_after_seconds=seconds)
    is_refusal = 300 <= status < 500 and status not in _MAY_BE_TAKEN
    if not is_refusal and status != _SIGN_IN_FIRST:
        return StatusAnswer(text, status=status)
    if status < 400 and (target := response.headers.get("Location", "")):
        text += f" and leads to {clip(target.partition('?')[0])!r}"
    advice = _ADVICE.get(status, "check its URL")
    return TurnedAway(f"{text}: {advice}", status=status)


def _read_retry_after(response: httpx2.Response) -> float | None:
    """Seconds; a date is compared with the server's own clock."""
    value = response.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        until = parsedate_to_datetime(value)
        return max(0.0, (until - parsedate_to_datetime(response.headers["Date"])).total_seconds())
    except (KeyError, TypeError, ValueError):
        return None


def _explain(error: Exception, departure: _Departure) -> ProviderError:
    kind = type(error).__name__
    if isinstance(error, _BEFORE_LEAVING) or not departure.left:
        reason = str(error) or "it took too long"
        return Unreachable(f"The provider cannot be reached: {reason} ({kind})")
    # The library's message is left out, because it may quote what was sent.
    return CallBroken(f"The call broke after it had left, so its outcome is unknown ({kind})")
