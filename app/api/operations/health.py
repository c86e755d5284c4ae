"""What watches a service asks of it: is it alive, can it take messages, what are its figures."""

import shutil
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any, Literal, NamedTuple

import structlog
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from typing_extensions import TypeAliasType

from app import __version__
from app.api.core.errors import MEDIA_TYPE, make_problem
from app.api.core.problems import NOT_NEAR
from app.api.core.routing import get_operation_id
from app.api.http.connections import Connections
from app.api.operations.probes import can_acknowledge, make_is_monitor
from app.domain.errors import LoginRefused, Unavailable
from app.flows.operations.processes.process_figures import Figures
from app.flows.operations.processes.supervise import FAILING
from app.runtime import Runtime
from app.storage.data_dir import is_full
from app.storage.db.database import Connection
from app.storage.operations.alerts import list_open_subjects
from app.storage.operations.processes import (
    GONE_AFTER,
    Process,
    list_figures,
    list_processes,
)
from app.storage.operations.stats import find_oldest_unhandled
from app.storage.outbound.sending.backlog import find_oldest_due
from app.storage.outbound.sending.sender import SenderState, get_sender

PATIENCE_SECONDS = 0.5
# Handling runs a moment behind the acknowledgement; so far behind it is stuck. So is sending where
# a text could go out and none does.
MAX_LAG = timedelta(seconds=60)

REFUSED_LOGIN = "it refuses the user name or password: check LETTERBOX_DATABASE_URL"

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
METRICS_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Prometheus' text format",
        "content": {"text/plain": {"schema": {"type": "string"}}},
    },
    403: {
        "description": "The caller is not in MONITOR_NETWORKS",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    },
}

log = structlog.get_logger("letterbox.health")

HealthState = TypeAliasType(
    "HealthState",
    Annotated[Literal["ok", "degraded"], Field(description="Whether something is well")],
)
MeasureDisk = Callable[[str], tuple[int, int, int]]


class Liveness(BaseModel):
    """It answers, so it lives."""

    status: Annotated[Literal["ok"], Field(description="always, if it answers")] = "ok"


class Part(BaseModel):
    """One thing that the service stands on."""

    status: Annotated[HealthState, Field(description="whether it is well")] = "ok"
    detail: Annotated[str, Field(description="what is the matter, or how much there is")] = ""


class Readiness(BaseModel):
    """`ready` while /inbound can acknowledge; all else is told to MONITOR_NETWORKS alone."""

    ready: bool = Field(description="whether messages can be acknowledged")
    version: str | None = Field(default=None, description="the release of Letterbox")
    status: HealthState | None = Field(default=None, description="`ok` if every part is")
    database: Part | None = Field(default=None, description="whether it answers")
    disk: Part | None = Field(default=None, description="whether the disk of DATA_DIR has room")
    spool: Part | None = Field(
        default=None, description="whether it can be written, and what waits in it"
    )
    workers: Part | None = Field(default=None, description="whether messages are handled")
    sender: Part | None = Field(default=None, description="whether texts go out")
    connections: Part | None = Field(default=None, description="whether more callers can connect")
    clock: Part | None = Field(default=None, description="whether the clock is right")
    loops: dict[str, Part] | None = Field(
        default=None, description="the loops of this process, by name"
    )


class Findings(NamedTuple):
    """What the database says about the workers and the sender.

    `oldest_due` is since when a text could have been sent. `failing` names loops of any process.
    """

    processes: Sequence[Process]
    oldest_unhandled: datetime | None
    sender: SenderState | None = None
    oldest_due: datetime | None = None
    failing: frozenset[str] = frozenset()


def make_health_router(
    runtime: Runtime, connections: Connections, *, measure_disk: MeasureDisk = shutil.disk_usage
) -> APIRouter:
    """/livez and /readyz, open to all; /metrics and the details are for MONITOR_NETWORKS."""
    router = APIRouter(tags=["health"], generate_unique_id_function=get_operation_id)
    is_near = make_is_monitor(runtime.settings)

    def is_monitor(request: Request) -> bool:
        return is_near(request.scope.get("client"), request.scope["headers"])

    @router.get("/livez")
    async def live() -> Liveness:
        """Say that the process lives."""
        return Liveness()

    @router.get(
        "/readyz",
        response_model_exclude_none=True,
        responses={503: {"model": Readiness, "description": "It takes no messages"}},
    )
    async def ready(request: Request, response: Response) -> Readiness:
        """Say whether messages are taken and, to MONITOR_NETWORKS, how the parts are."""
        can = can_acknowledge(runtime)
        if not can:
            response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        if not is_monitor(request):
            return Readiness(ready=can)
        found = await _ask_database(runtime)
        parts = {
            "database": _judge_database(
                found, runtime.database.fault, is_login_refused=runtime.is_login_refused
            ),
            "disk": _look_at_disk(str(runtime.data_dir.path), measure_disk),
            "spool": _judge_spool(runtime),
            "workers": judge_workers(
                found, runs_here=runtime.settings.run_workers, now=runtime.now()
            ),
            "sender": judge_sender(
                found, has_account=runtime.provider is not None, now=runtime.now()
            ),
            "connections": _judge_connections(connections),
            "clock": _judge_clock(runtime),
        }
        loops = {
            name: Part(status="degraded" if trouble else "ok", detail=trouble)
            for name, trouble in runtime.loops.find_troubles().items()
        }
        is_well = can and all(part.status == "ok" for part in (*parts.values(), *loops.values()))
        status: HealthState = "ok" if is_well else "degraded"
        return Readiness(ready=can, version=__version__, status=status, loops=loops, **parts)

    @router.get("/metrics", response_class=Response, responses=METRICS_RESPONSES)
    async def show_metrics(request: Request) -> Response:
        """Give the figures that Prometheus scrapes, to MONITOR_NETWORKS alone."""
        if not is_monitor(request):
            return make_problem(
                NOT_NEAR, "only networks in LETTERBOX_MONITOR_NETWORKS may read the metrics"
            )
        workers = await _read_workers(runtime)
        return Response(runtime.metrics.render(workers), headers={"Content-Type": METRICS_TYPE})

    return router


async def _read_workers(runtime: Runtime) -> Sequence[tuple[str, Figures]]:
    """What the worker processes count; nothing while the database does not answer."""
    since = runtime.now() - GONE_AFTER
    if not runtime.prepared.is_set():
        return ()
    try:
        return await runtime.database.read_within(
            PATIENCE_SECONDS, lambda conn: list_figures(conn, alive_since=since)
        )
    except Unavailable as error:
        # Our own figures matter more.
        log.warning("figures_of_workers_unknown", reason=str(error))
        return ()


def _judge_clock(runtime: Runtime) -> Part:
    trouble = "" if runtime.time_keeper is None else runtime.time_keeper.trouble
    return Part(status="degraded" if trouble else "ok", detail=trouble)


async def _ask_database(runtime: Runtime) -> Findings | None:
    """None where it does not answer, or has not been prepared since the start."""
    if not runtime.prepared.is_set():
        return None
    try:
        now = runtime.now()
        return await runtime.database.read_within(PATIENCE_SECONDS, lambda conn: _find(conn, now))
    except Unavailable as error:
        runtime.is_login_refused = isinstance(error, LoginRefused)
        return None
    except Exception:
        # For example a missing or damaged table, or a missing permission: report it as it is now.
        log.exception("readiness_unknown")
        return None


def _find(conn: Connection, now: datetime) -> Findings:
    return Findings(
        list_processes(conn),
        find_oldest_unhandled(conn),
        get_sender(conn),
        find_oldest_due(conn, now),
        frozenset(list_open_subjects(conn, FAILING)),
    )


def _judge_database(found: Findings | None, fault: str | None, *, is_login_refused: bool) -> Part:
    if fault is not None:
        return Part(status="degraded", detail=f"{fault}. Messages go to the spool.")
    if found is None:
        reason = REFUSED_LOGIN if is_login_refused else "it does not answer"
        return Part(status="degraded", detail=f"{reason}; messages go to the spool")
    return Part()


def _look_at_disk(folder: str, measure: MeasureDisk) -> Part:
    try:
        total, _, free = measure(folder)
    except OSError as error:
        return Part(status="degraded", detail=f"the data folder cannot be read: {error.strerror}")
    return judge_disk(total, free)


def judge_disk(total: int, free: int) -> Part:
    """How the disk of DATA_DIR is, from its bytes."""
    detail = f"{free // 1024**2} MiB free of {total // 1024**2} MiB"
    return Part(status="degraded" if is_full(total, free) else "ok", detail=detail)


def _judge_spool(runtime: Runtime) -> Part:
    intake = runtime.intake
    if intake is None or intake.spool_error is not None:
        return Part(status="degraded", detail="it cannot be written")
    if intake.depth:
        return Part(status="degraded", detail=f"{intake.depth} messages wait for the database")
    return Part()


def _judge_connections(connections: Connections) -> Part:
    if connections.is_full:
        return Part(
            status="degraded",
            detail=f"all {connections.limit} are in use, so the oldest idle ones are closed;"
            " find out who opens them, or raise the limit on open files (ulimit -n)",
        )
    return Part()


def judge_workers(found: Findings | None, *, runs_here: bool, now: datetime) -> Part:
    """Whether messages are being handled, by this process or by another."""
    if found is None:
        return Part(status="degraded", detail="unknown while the database does not answer")
    alive = [each for each in found.processes if now - each.seen_at < GONE_AFTER]
    if not runs_here and not any(each.runs_workers for each in alive):
        return Part(status="degraded", detail="no worker runs; start `letterbox work`")
    if found.oldest_unhandled is not None and now - found.oldest_unhandled > MAX_LAG:
        seconds = round((now - found.oldest_unhandled).total_seconds())
        return Part(status="degraded", detail=f"a message has waited for {seconds} seconds")
    if found.failing:
        return Part(status="degraded", detail=f"failing: {', '.join(sorted(found.failing))}")
    return Part()


def judge_sender(found: Findings | None, *, has_account: bool, now: datetime) -> Part:
    """Whether texts go out; the pace's mark in the sender's row is as late as the last one."""
    if found is None or found.sender is None:
        return Part(status="degraded", detail="unknown while the database does not answer")
    state = found.sender
    if state.state != "running":
        # Why is in /api/v1/sender: a person's words are nothing for monitors.
        return Part(status="degraded", detail=f"sending is {state.state}")
    if not has_account:
        return Part(detail="no PROVIDER_TOKEN is set: nothing is sent")
    since = max(filter(None, (found.oldest_due, state.pace_at)), default=None)
    if found.oldest_due is not None and since is not None and now - since > MAX_LAG:
        seconds = round((now - since).total_seconds())
        return Part(status="degraded", detail=f"no text has gone out for {seconds} seconds")
    return Part()
