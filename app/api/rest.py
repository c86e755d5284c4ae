"""The REST interface: one FastAPI application with everything that /inbound is not."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI

from app import __version__
from app.api.access import audit, keys, members, numbers
from app.api.conversations import address_book, conversations, people
from app.api.core.calls import PREFIX
from app.api.core.error_handlers import install_error_handlers
from app.api.core.keyring import Keyring
from app.api.core.routing import get_operation_id
from app.api.docs import make_docs_routes
from app.api.http.connections import Connections
from app.api.inbound import messages, reconcile, refusals
from app.api.middleware.access_log import AccessLog
from app.api.middleware.compression import Compressed
from app.api.middleware.methods import Methods
from app.api.openapi import install_openapi
from app.api.operations import account, alerts, erasures, events, reports, stats
from app.api.operations.health import make_health_router
from app.api.outbound import batches, outbound, provider_messages, saved_replies, sender
from app.api.rules import opt_outs, rules
from app.api.webhooks import webhooks
from app.runtime import Runtime
from app.streaming.events import RECHECK_SECONDS

# A path that two of them match is the first one's.
ROUTERS = (
    messages.router,
    messages.replaying,
    messages.removing,
    conversations.reading,
    conversations.writing,
    people.reading,
    people.writing,
    outbound.reading,
    outbound.queueing,
    outbound.acting,
    batches.reading,
    batches.sending,
    saved_replies.reading,
    saved_replies.writing,
    events.router,
    stats.router,
    rules.trying,
    rules.router,
    opt_outs.reading,
    opt_outs.writing,
    numbers.router,
    keys.router,
    members.router,
    refusals.router,
    erasures.router,
    webhooks.router,
    alerts.router,
    audit.router,
    account.balance,
    reports.router,
    sender.router,
    reconcile.router,
    address_book.contacts,
    address_book.groups,
    account.users,
    provider_messages.router,
)

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def build_rest(
    runtime: Runtime,
    *,
    lifespan: Lifespan | None = None,
    connections: Connections | None = None,
    recheck_seconds: float = RECHECK_SECONDS,
) -> FastAPI:
    """Everything except /inbound; `lifespan`, if given, starts and closes the runtime.

    `connections` are the server's, if it counts them.
    `recheck_seconds` is how long an event stream can outlive its key.
    """
    app = FastAPI(
        title="Letterbox",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        generate_unique_id_function=get_operation_id,
        lifespan=lifespan,
    )
    app.add_middleware(Compressed, prefix=PREFIX)
    app.add_middleware(Methods, list_routes=lambda: app.routes)
    app.add_middleware(AccessLog)
    install_error_handlers(app)
    install_openapi(app, runtime.settings.public_url)
    app.state.keyring = Keyring(runtime)
    app.state.recheck_seconds = recheck_seconds
    # First, because requests without a key should cost little.
    health = make_health_router(runtime, Connections() if connections is None else connections)
    app.router.routes.extend([*health.routes, *make_docs_routes(app)])
    for router in ROUTERS:
        # Not included: that would describe each route again when it is first asked for.
        app.router.routes.extend(router.routes)
    return app
