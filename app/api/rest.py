"""The REST interface: one FastAPI application with everything that /inbound is not."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from fastapi import FastAPI

from app import __version__
from app.api.access.audit import make_audit_router
from app.api.access.keys import make_keys_router
from app.api.access.numbers import make_numbers_router
from app.api.conversations.address_book import make_contacts_router, make_groups_router
from app.api.conversations.conversations import make_conversations_router
from app.api.core.dependencies import PREFIX, Keyring, get_operation_id
from app.api.core.errors import install_error_handlers
from app.api.docs import make_docs_router
from app.api.http.connections import Connections
from app.api.inbound.messages import make_messages_router
from app.api.inbound.reconcile import make_reconcile_router
from app.api.inbound.refusals import make_refusals_router
from app.api.inbound.replays import make_replays_router
from app.api.middleware.access_log import AccessLog
from app.api.middleware.compression import Compressed
from app.api.middleware.methods import Methods
from app.api.openapi import install_openapi
from app.api.operations.account import make_credits_router, make_users_router
from app.api.operations.alerts import make_alerts_router
from app.api.operations.events import RECHECK_SECONDS, make_events_router, render_subject
from app.api.operations.health import make_health_router
from app.api.operations.reports import make_reports_router
from app.api.operations.stats import make_stats_router
from app.api.outbound.outbound import make_outbound_reading, make_outbound_sending
from app.api.outbound.provider_messages import make_provider_router
from app.api.outbound.sender import make_sender_router
from app.api.rules.opt_outs import make_opt_outs_router
from app.api.rules.rules import make_rules_router
from app.flows.operations.event_stream import EventTail
from app.runtime import Runtime

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


class BuildRest(Protocol):
    """`build_rest`, as an application calls it."""

    def __call__(
        self, runtime: Runtime, *, lifespan: Lifespan, connections: Connections
    ) -> FastAPI: ...


def build_rest(
    runtime: Runtime,
    *,
    lifespan: Lifespan,
    connections: Connections | None = None,
    tail: EventTail | None = None,
    recheck_seconds: float = RECHECK_SECONDS,
) -> FastAPI:
    """Everything except /inbound; `lifespan` starts and closes the runtime.

    `connections` are the server's, if it counts them. `tail` is what streams follow, unless the
    interface is to make its own.
    `recheck_seconds` is how long an event stream can outlive its key.
    """
    if tail is None:
        tail = EventTail(runtime.database, runtime.wakeups, render_subject)

    @asynccontextmanager
    async def run(app: FastAPI) -> AsyncIterator[None]:
        async with lifespan(app):
            try:
                yield
            finally:
                await tail.close()

    app = FastAPI(
        title="Letterbox",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        generate_unique_id_function=get_operation_id,
        lifespan=run,
    )
    app.add_middleware(Compressed, prefix=PREFIX)
    app.add_middleware(Methods, list_routes=lambda: app.routes)
    app.add_middleware(AccessLog)
    install_error_handlers(app)
    install_openapi(app, runtime.settings.public_url)
    keyring = Keyring(runtime)
    for router in (
        # First, because requests without a key should cost little.
        make_health_router(runtime, Connections() if connections is None else connections),
        make_docs_router(app),
        make_messages_router(runtime, keyring),
        make_replays_router(runtime, keyring),
        make_conversations_router(runtime, keyring),
        make_outbound_reading(runtime, keyring),
        make_outbound_sending(runtime, keyring),
        make_events_router(keyring, tail, recheck_seconds=recheck_seconds),
        make_stats_router(runtime, keyring),
        make_rules_router(runtime, keyring),
        make_opt_outs_router(runtime, keyring),
        make_numbers_router(runtime, keyring),
        make_keys_router(runtime, keyring),
        make_refusals_router(runtime, keyring),
        make_alerts_router(runtime, keyring),
        make_audit_router(runtime, keyring),
        make_credits_router(runtime, keyring),
        make_reports_router(runtime, keyring),
        make_sender_router(runtime, keyring),
        make_reconcile_router(runtime, keyring),
        make_contacts_router(runtime, keyring),
        make_groups_router(runtime, keyring),
        make_users_router(runtime, keyring),
        make_provider_router(runtime, keyring),
    ):
        # Not included: that would describe each route again when it is first asked for.
        app.router.routes.extend(router.routes)
    return app
