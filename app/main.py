"""The web process: /inbound ahead of the framework, then the REST interface and the pages."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib import import_module

from starlette.routing import Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.http.connections import Connections
from app.api.inbound.endpoint import InboundEndpoint
from app.api.middleware.access_log import AccessLog
from app.api.middleware.hardening import Hardened
from app.api.middleware.methods import Methods
from app.api.middleware.request_ids import RequestIds
from app.api.operations.probes import Probes
from app.domain.access.own_address import RootPath
from app.runtime import Runtime
from app.web.application import Pages
from app.web.core.rendering.renderer import Renderer
from app.worker import run_flows

# The REST interface answers paths that begin with these; all others are pages.
REST_PARTS = frozenset(
    {"api", "docs", "docs.css", "openapi.json", "problems", "livez", "readyz", "metrics"}
)


def build_app(
    runtime: Runtime,
    *,
    on_failure: Callable[[], None] = lambda: None,
    renderer: Renderer | None = None,
) -> "WebApplication":
    """The ASGI application of a web process; its lifespan starts and closes the runtime.

    `on_failure` is called when the process must end though it has started (`runtime.failure`).
    `renderer` is that of the pages, where several applications share one.
    """

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        await runtime.start(on_failure=on_failure)
        if runtime.settings.run_workers:
            runtime.spawn_work(run_flows(runtime))
        try:
            yield
        finally:
            await runtime.close()

    connections = Connections(
        is_receiving=lambda: runtime.intake is not None and runtime.intake.is_storing
    )
    pages = Pages(runtime, renderer=renderer)
    rest = Rest(runtime, connections)
    root = runtime.settings.root_path
    inbound = InboundEndpoint(
        runtime.receiver, runtime.deferred_writes, runtime.settings.trusted_proxies, root
    )
    is_https = runtime.settings.base_url.startswith("https://")
    return WebApplication(
        runtime,
        inbound,
        connections,
        Probes(runtime, is_https=is_https),
        Router(lifespan=lifespan),
        RequestIds(Hardened(rest, is_https=is_https, takes_cookies=False), root=root),
        RequestIds(
            Hardened(
                AccessLog(Methods(pages, lambda: pages.routes)),
                is_https=is_https,
                takes_cookies=True,
            )
        ),
        RootPath(root),
    )


class Rest:
    """The REST interface, imported when it is first asked for.

    Its models are half of a start's time, and 15 MB. A thread imports them, so that texts are
    received meanwhile.
    """

    def __init__(self, runtime: Runtime, connections: Connections) -> None:
        self._runtime = runtime
        self._connections = connections
        self._app: ASGIApp | None = None
        self._lock = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._app is None:
            async with self._lock:
                if self._app is None:
                    module = await asyncio.to_thread(import_module, "app.api.rest")
                    self._app = module.build_rest(self._runtime, connections=self._connections)
        await self._app(scope, receive, send)


class WebApplication:
    """Checks the path before the framework, whose stack costs more than the work itself.

    `inbound`, `connections` and `probes` are for our protocol, which passes on forwards without
    ASGI, counts connections and answers probes itself.
    """

    def __init__(
        self,
        runtime: Runtime,
        inbound: InboundEndpoint,
        connections: Connections,
        probes: Probes,
        lifespan: ASGIApp,
        rest: ASGIApp,
        pages: ASGIApp,
        root_path: RootPath,
    ) -> None:
        self.inbound = inbound
        self.connections = connections
        self.probes = probes
        self._runtime = runtime
        self._lifespan = lifespan
        self._rest = rest
        self._pages = pages
        self._root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _run_lifespan(self._lifespan, self._runtime, scope, receive, send)
            return
        if self.inbound.is_here(scope["path"].encode(errors="replace")):
            await self.inbound(scope, receive, send)
            return
        path = self._root_path.cut(scope["path"])
        scope = {**scope, "path": path}
        if path.partition("/")[2].partition("/")[0] in REST_PARTS:
            await self._rest(scope, receive, send)
        else:
            await self._pages(scope, receive, send)


async def _run_lifespan(
    app: ASGIApp, runtime: Runtime, scope: Scope, receive: Receive, send: Send
) -> None:
    """Make a failed start print one line, not a traceback."""

    async def shorten(message: Message) -> None:
        if message["type"] == "lifespan.startup.failed" and runtime.failure is not None:
            # A single process prints it itself when it ends.
            alone = runtime.settings.processes == 1
            message = {**message, "message": "" if alone else str(runtime.failure)}
        await send(message)

    await app(scope, receive, shorten)
