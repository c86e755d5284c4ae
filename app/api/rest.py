"""The REST interface: one FastAPI application with everything that /inbound is not."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI

from app.api.health import make_health_router
from app.runtime import Runtime

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def build_rest(runtime: Runtime, *, lifespan: Lifespan) -> FastAPI:
    """Everything behind /inbound; `lifespan` starts and closes the runtime."""
    app = FastAPI(title="Letterbox", docs_url=None, redoc_url=None, lifespan=lifespan)
    app.include_router(make_health_router(runtime))
    return app


