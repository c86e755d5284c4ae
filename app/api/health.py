"""What watches a service asks of it: is it alive, can it take messages, what are its figures."""

from fastapi import APIRouter, Response

from app.runtime import Runtime


def make_health_router(runtime: Runtime) -> APIRouter:
    """/livez, /readyz and /metrics; open to all, with nothing secret in them."""
    router = APIRouter()

    @router.get("/livez")
    async def live() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/readyz")
    async def ready(response: Response) -> dict[str, str]:
        can = runtime.intake is not None and runtime.intake.can_acknowledge
        response.status_code = 200 if can else 503
        return {"status": "ok" if can else "degraded"}

    @router.get("/metrics")
    async def show_metrics() -> Response:
        return Response(
            runtime.metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8"
        )

    return router
