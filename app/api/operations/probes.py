"""What watches a service is answered before all others: a probe that waits ends or removes it."""

from collections.abc import Callable

from app.api.http.answers import Answer
from app.api.http.request_head import Head
from app.api.middleware.hardening import choose_headers
from app.domain.access.addresses import CallerFinder, Headers, NetworkSet
from app.runtime import Runtime
from app.settings import Settings

LIVEZ, READYZ, METRICS = b"/livez", b"/readyz", b"/metrics"
PATHS = frozenset({LIVEZ, READYZ, METRICS})

ALIVE = b'{"status":"ok"}'
READY, NOT_READY = b'{"ready":true}', b'{"ready":false}'

Client = tuple[str, int] | None


def make_is_monitor(settings: Settings) -> Callable[[Client, Headers], bool]:
    """Tells who may see the details: the callers in MONITOR_NETWORKS."""
    near = NetworkSet(settings.monitor_networks)
    callers = CallerFinder(settings.trusted_proxies)

    def is_monitor(client: Client, headers: Headers) -> bool:
        # Through a proxy that is not trusted, or does not say for whom, anybody may come; a Unix
        # socket has no address.
        if callers.find_unheeded(client, headers) or callers.hides_caller(client, headers):
            return False
        address = callers.find(client, headers)
        return not address or address in near

    return is_monitor


class Probes:
    """The answers that need nothing but memory, for the protocol to send as soon as it is asked.

    They are those of the endpoints in api/operations/health.py, which give all others.
    """

    def __init__(self, runtime: Runtime, *, is_https: bool) -> None:
        self._runtime = runtime
        self._is_monitor = make_is_monitor(runtime.settings)
        self._headers = tuple(
            (name.lower().encode(), value.encode())
            for name, value in choose_headers(is_https=is_https)
        )
        self._alive = self._make_answer(200, ALIVE)
        self._ready = self._make_answer(200, READY)
        self._not_ready = self._make_answer(503, NOT_READY)

    def find_answer(self, head: Head, client: Client) -> Answer | None:
        if head.path not in PATHS or head.method != "GET" or head.query or head.has_body:
            return None
        if head.path == LIVEZ:
            return self._alive
        if head.path == READYZ and not self._is_monitor(client, head.headers):
            return self._ready if can_acknowledge(self._runtime) else self._not_ready
        return None

    def _make_answer(self, status: int, body: bytes) -> Answer:
        kind = (b"content-length", b"%d" % len(body)), (b"content-type", b"application/json")
        return Answer(status, (*kind, *self._headers), body)


def can_acknowledge(runtime: Runtime) -> bool:
    """Whether /inbound can take messages, be it into the spool."""
    return runtime.intake is not None and runtime.intake.can_acknowledge
