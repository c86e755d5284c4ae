"""Posts to endpoints: one try with a time limit, whose answer is read only at its beginning."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpcore2

from app.domain.webhooks.networks import Address, Network, may_call
from app.domain.webhooks.retries import EndpointAnswer
from app.domain.webhooks.urls import describe_refusal
from app.network.addresses import AddressRefused, CheckedBackend, Resolve, Resolver, explain_tls

TOTAL_SECONDS = 10.0
ANSWER_BYTES = 1024
# Common servers close an idle connection after 5 s.
KEEPALIVE_SECONDS = 3.0
MOST_CONNECTIONS = 64
_FAILURES = (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException)


@dataclass(slots=True)
class _Trace:
    """Whether a new connection was made for the request."""

    is_fresh: bool = False

    async def __call__(self, event: str, _info: object) -> None:
        if event == "connection.connect_tcp.started":
            self.is_fresh = True


class EndpointCaller:
    """Keeps connections open between calls. Follows no redirects, and uses no proxy.

    `allowed` are the networks that may be called though they are not public. Without TLS only they
    are called.
    """

    def __init__(
        self,
        allowed: Sequence[Network],
        *,
        resolve: Resolve | None = None,
        total_seconds: float = TOTAL_SECONDS,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._own_resolver = Resolver() if resolve is None else None
        resolve = resolve or self._own_resolver
        assert resolve is not None  # noqa: S101 for the types
        self._total_seconds = total_seconds
        self._seconds = seconds
        self._allowed = allowed
        self._resolve = resolve
        self._pools: dict[str, httpcore2.AsyncConnectionPool] = {}

    async def aclose(self) -> None:
        for pool in self._pools.values():
            await pool.aclose()
        if self._own_resolver is not None:
            self._own_resolver.close()

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> EndpointAnswer:
        """What the endpoint answered, or why it did not."""
        began = self._seconds()
        try:
            async with asyncio.timeout(self._total_seconds):
                status, received, text = await self._post(url, headers, body)
        except TimeoutError:
            limit = f"no answer within {self._total_seconds:g} seconds"
            return EndpointAnswer(None, "", limit, self._seconds() - began)
        except _FAILURES as error:
            reason = _explain(error, is_secure=url.startswith("https:"))
            return EndpointAnswer(None, "", reason, self._seconds() - began)
        except OSError:
            reason = "SSL_CERT_FILE or SSL_CERT_DIR names no certificates that can be read"
            return EndpointAnswer(None, "", reason, self._seconds() - began)
        error_text = "" if 200 <= status < 300 else _describe(status, received)
        return EndpointAnswer(
            status, text, error_text, self._seconds() - began, _read_retry_after(received)
        )

    def _find_pool(self, scheme: str) -> httpcore2.AsyncConnectionPool:
        if scheme not in self._pools:
            is_secure = scheme == "https"
            self._pools[scheme] = _open_pool(self._resolve, self._allowed, is_secure=is_secure)
        return self._pools[scheme]

    async def _post(
        self, url: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], str]:
        trace = _Trace()
        try:
            return await self._exchange(url, headers, body, trace)
        except (httpcore2.ReadError, httpcore2.WriteError, httpcore2.RemoteProtocolError):
            # The endpoint may have closed an idle connection at that moment.
            if trace.is_fresh:
                raise
        return await self._exchange(url, {**headers, "Connection": "close"}, body, trace)

    async def _exchange(
        self, url: str, headers: Mapping[str, str], body: bytes, trace: _Trace
    ) -> tuple[int, Mapping[str, str], str]:
        async with self._find_pool(urlsplit(url).scheme).stream(
            "POST", url, headers=list(headers.items()), content=body, extensions={"trace": trace}
        ) as response:
            received = {
                name.decode("latin-1").lower(): value.decode("latin-1")
                for name, value in response.headers
            }
            beginning = bytearray()
            async for chunk in response.aiter_stream():
                beginning += chunk
                if len(beginning) > ANSWER_BYTES:
                    break
            return response.status, received, _show(bytes(beginning[:ANSWER_BYTES]))


def _open_pool(
    resolve: Resolve, allowed: Sequence[Network], *, is_secure: bool
) -> httpcore2.AsyncConnectionPool:
    """Raises OSError for certificates that cannot be read."""

    def check(address: Address) -> bool:
        return may_call(address, allowed, is_secure=is_secure)

    return httpcore2.AsyncConnectionPool(
        # Made once: each takes as long as many calls.
        ssl_context=httpcore2.default_ssl_context() if is_secure else None,
        max_connections=MOST_CONNECTIONS,
        max_keepalive_connections=MOST_CONNECTIONS,
        keepalive_expiry=KEEPALIVE_SECONDS,
        network_backend=CheckedBackend(resolve, check),
    )


def _explain(error: Exception, *, is_secure: bool) -> str:
    if isinstance(error, AddressRefused):
        return describe_refusal(is_secure=is_secure)
    if (found := explain_tls(error)) is not None:
        return found
    if isinstance(error, httpcore2.ConnectError):
        return f"cannot connect ({error})" if str(error) else "cannot connect"
    if isinstance(error, httpcore2.ProtocolError):
        return "the answer is not HTTP, or was cut off"
    return "the connection broke"


def _describe(status: int, headers: Mapping[str, str]) -> str:
    if 300 <= status < 400 and "location" in headers:
        return f"HTTP status {status}: redirects are not followed"
    return f"HTTP status {status}"


def _show(body: bytes) -> str:
    """As text that any database stores."""
    return body.decode(errors="replace").replace("\0", "\ufffd")


def _read_retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds; a date is compared with the server's own clock."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        until = parsedate_to_datetime(value)
        return max(0.0, (until - parsedate_to_datetime(headers["date"])).total_seconds())
    except (KeyError, TypeError, ValueError):
        return None
