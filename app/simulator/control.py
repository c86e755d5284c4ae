"""The control interface under /_simulator, as JSON."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Annotated, TypeAlias

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.simulator.actions.magic import list_magic_numbers
from app.simulator.forwards.load import LoadOrder
from app.simulator.simulator import Simulator, UnknownNumberError
from app.simulator.state.accounts import Account
from app.simulator.state.config import (
    AccountConfig,
    AccountState,
    Digits,
    ListConfig,
    NumberConfig,
    describe_problem,
)
from app.simulator.state.faults import Fault

_TEN_YEARS = 315_360_000.0


class _Order(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ClockChange(_Order):
    """A change of the clock; parts that are left out stay as they are."""

    speed: Annotated[float, Field(ge=0, le=1_000_000)] | None = None
    advance_seconds: Annotated[float, Field(ge=0, le=_TEN_YEARS)] | None = None
    now: AwareDatetime | None = None


class TextOrder(_Order):
    """A text to a virtual number; `wait_seconds` null waits until its forward has ended."""

    source: str
    dest: Digits
    body: str
    wait_seconds: Annotated[float, Field(ge=0)] | None = 0.0


class AccountChange(_Order):
    """A change of an account; parts that are left out stay as they are."""

    token: Annotated[str, Field(min_length=1)] | None = None
    credits: Annotated[Decimal, Field(ge=0)] | None = None
    state: AccountState | None = None
    admin: bool | None = None
    allowed_sources: frozenset[str] | None = None
    blacklist: set[str] | None = None


_Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]
_FAULTS: TypeAdapter[list[Fault]] = TypeAdapter(list[Fault])
_CHANGES: TypeAdapter[dict[str, object]] = TypeAdapter(dict[str, object])


class Control:
    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def routes(self) -> list[Route]:
        return [
            _route("/livez", self.livez, "GET"),
            _route("/reset", self.reset, "POST"),
            _route("/clock", self.clock, "GET", "PATCH"),
            _route("/switches", self.switches, "GET", "PATCH", "DELETE"),
            _route("/faults", self.faults, "GET", "POST", "DELETE"),
            _route("/ledger", self.ledger, "GET"),
            _route("/calls", self.calls, "GET"),
            _route("/texts", self.texts, "POST"),
            _route("/load", self.load, "GET", "POST", "DELETE"),
            _route("/accounts", self.accounts, "GET", "POST"),
            _route("/accounts/{username}", self.account, "PATCH"),
            _route("/numbers", self.numbers, "GET", "PUT"),
            _route("/lists", self.lists, "GET", "PUT"),
            _route("/magic", self.magic, "GET"),
        ]

    async def livez(self, _request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def reset(self, _request: Request) -> Response:
        await self._simulator.reset()
        return JSONResponse({"status": "ok"})

    async def clock(self, request: Request) -> Response:
        clock = self._simulator.clock
        if request.method == "PATCH":
            change = ClockChange.model_validate_json(await request.body())
            try:
                if change.now is not None:
                    clock.move_to(change.now)
                clock.advance(change.advance_seconds or 0)
                clock.set_speed(clock.speed if change.speed is None else change.speed)
            except (ValueError, OverflowError) as error:
                raise HTTPException(422, str(error)) from error
        return JSONResponse({"now": clock.now().isoformat(), "speed": clock.speed})

    async def switches(self, request: Request) -> Response:
        world = self._simulator.world
        if request.method == "PATCH":
            changes = _CHANGES.validate_json(await request.body())
            world.switches = world.switches.changed(changes)
        elif request.method == "DELETE":
            world.switches = world.config.switches
        return JSONResponse(world.switches.model_dump(mode="json"))

    async def faults(self, request: Request) -> Response:
        plan = self._simulator.world.faults
        if request.method == "POST":
            for fault in _FAULTS.validate_json(await request.body()):
                plan.add(fault)
        elif request.method == "DELETE":
            plan.clear()
        return JSONResponse([planned.as_json() for planned in plan.planned])

    async def ledger(self, request: Request) -> Response:
        """Exactly what was accepted: messages sent and texts received; `to` and `source` filter."""
        world = self._simulator.world
        now = world.clock.now()
        wanted = {name: request.query_params.get(name) for name in ("to", "source")}
        messages = [
            text.as_json(now)
            for text in world.outgoing.texts
            if wanted["to"] in (None, text.destination) and wanted["source"] in (None, text.source)
        ]
        inbound = [
            text.as_json()
            for text in world.incoming.texts
            if wanted["to"] in (None, text.dest) and wanted["source"] in (None, text.source)
        ]
        return JSONResponse({"now": now.isoformat(), "messages": messages, "inbound": inbound})

    async def calls(self, _request: Request) -> Response:
        calls = self._simulator.world.calls
        recent = [record.as_json() for record in calls.recent]
        return JSONResponse({"counts": dict(calls.counts), "recent": recent})

    async def texts(self, request: Request) -> Response:
        order = TextOrder.model_validate_json(await request.body())
        texts = await self._simulator.receive_text(
            order.source, order.dest, order.body, order.wait_seconds
        )
        return JSONResponse([text.as_json() for text in texts], 201)

    async def load(self, request: Request) -> Response:
        if request.method == "POST":
            await self._simulator.start_load(LoadOrder.model_validate_json(await request.body()))
        elif request.method == "DELETE":
            await self._simulator.stop_load()
        run = self._simulator.load
        return JSONResponse(None if run is None else run.as_json())

    async def accounts(self, request: Request) -> Response:
        accounts = self._simulator.world.accounts
        if request.method == "POST":
            config = AccountConfig.model_validate_json(await request.body())
            accounts.add(Account.from_config(config))
        return JSONResponse([account.as_json() for account in accounts])

    async def account(self, request: Request) -> Response:
        account = self._simulator.world.accounts.get(request.path_params["username"])
        if account is None:
            raise HTTPException(404, "no such account")
        change = AccountChange.model_validate_json(await request.body())
        for name in change.model_fields_set:
            setattr(account, name, getattr(change, name))
        return JSONResponse(account.as_json())

    async def numbers(self, request: Request) -> Response:
        numbers = self._simulator.world.incoming.numbers
        if request.method == "PUT":
            config = NumberConfig.model_validate_json(await request.body())
            numbers[config.number] = config
        return JSONResponse([number.model_dump() for number in numbers.values()])

    async def lists(self, request: Request) -> Response:
        lists = self._simulator.world.books.lists
        if request.method == "PUT":
            config = ListConfig.model_validate_json(await request.body())
            lists[config.username, config.name] = config
        return JSONResponse([one.model_dump() for one in lists.values()])

    async def magic(self, _request: Request) -> Response:
        return JSONResponse(list_magic_numbers())


async def refuse_order(_request: Request, error: Exception) -> Response:
    """Answer a request that cannot be carried out: 422 that names what is wrong, 404 or 405."""
    if isinstance(error, ValidationError):
        return JSONResponse({"error": describe_problem(error)}, 422)
    if isinstance(error, UnknownNumberError):
        return JSONResponse({"error": f"no such number: {error}"}, 422)
    if isinstance(error, HTTPException):
        return JSONResponse({"error": error.detail}, error.status_code)
    raise error


def _route(path: str, endpoint: _Endpoint, *methods: str) -> Route:
    return Route(f"/_simulator{path}", endpoint, methods=list(methods))
