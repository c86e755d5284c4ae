"""The web process: /inbound ahead of the framework, then the REST interface and the pages."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from starlette.routing import Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.http.connections import Connections
from app.api.inbound.endpoint import InboundEndpoint
from app.api.inbound.misdirected import Misdirected
from app.api.middleware.access_log import AccessLog
from app.api.middleware.hardening import Hardened
from app.api.middleware.methods import Methods
from app.api.middleware.request_ids import RequestIds
from app.api.operations.probes import Probes
from app.domain.access.own_address import RootPath
from app.runtime import Runtime
from app.worker import run_flows

if TYPE_CHECKING:
    from app.web.core.rendering.renderer import Renderer

# The REST interface answers paths that begin with these; all others are pages.
REST_PARTS = frozenset(
    {"api", "docs", "docs.css", "openapi.json", "problems", "livez", "readyz", "metrics"}
)


def build_app(
    runtime: Runtime,
    *,
    on_failure: Callable[[], None] = lambda: None,
    renderer: "Renderer | None" = None,
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
    rest = Deferred("app.api.rest", lambda it: it.build_rest(runtime, connections=connections))

    def build_pages(module: ModuleType) -> ASGIApp:
        pages = module.Pages(runtime, renderer=renderer)
        return AccessLog(Methods(pages, lambda: pages.routes))

    pages = Deferred("app.web.application", build_pages)
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
        RequestIds(Hardened(pages, is_https=is_https, takes_cookies=True)),
        RootPath(root),
    )


class Deferred:
    """An interface whose module is imported when the interface is first asked for.

    REST and the pages are more than half of a start's time and 20 MB, and a process that only
    receives needs neither. A thread imports them, so that texts are received meanwhile.
    """

    def __init__(self, module: str, build: Callable[[ModuleType], ASGIApp]) -> None:
        self._module = module
        self._build = build
        self._app: ASGIApp | None = None
        self._lock = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._app is None:
            async with self._lock:
                if self._app is None:
                    module = await asyncio.to_thread(import_module, self._module)
                    self._app = self._build(module)
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
        self._misdirected = Misdirected(inbound)
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
        is_rest = path.partition("/")[2].partition("/")[0] in REST_PARTS
        app = self._rest if is_rest else self._pages
        await self._misdirected.call(app, scope, receive, send)


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
