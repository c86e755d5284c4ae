"""The provider's one URL: reads a call's parameters, lets faults strike, writes the answer."""

import re
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import parse_qsl

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.simulator.actions.calls import Answer
from app.simulator.actions.dispatch import answer_call, choose_fault
from app.simulator.connection import Connection
from app.simulator.state.faults import Fault
from app.simulator.state.world import CallRecord, World

_Pause: TypeAlias = Callable[[float], Coroutine[None, None, None]]
_PROXY_PAGE = (
    "<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head>"
    "<body><center><h1>502 Bad Gateway</h1></center><hr><center>nginx</center></body></html>\n"
)
_NOT_ASCII = re.compile(rb"[\x80-\xff]")
_SHOWN_ANSWER = 200


class ApiEndpoint:
    """`/api` as an ASGI application.

    `find_world` gives the world as it stands at each call; `pause` waits real seconds.
    """

    def __init__(self, find_world: Callable[[], World], pause: _Pause) -> None:
        self._find_world = find_world
        self._pause = pause

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        world = self._find_world()
        parameters = await read_parameters(Request(scope, receive), world.switches.charset)
        connection = Connection(scope, receive, send)
        exchange = _Exchange(world, parameters, connection, self._pause)
        await exchange.run()


async def read_parameters(request: Request, charset: str) -> dict[str, str]:
    """The parameters of query and body; if one comes twice, the last counts."""
    pairs = _read_pairs(request.scope["query_string"], charset)
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().casefold()
    if content_type == "multipart/form-data":
        async with request.form() as form:
            for name, value in form.multi_items():
                text = await value.read() if isinstance(value, UploadFile) else value
                pairs.append(
                    (name, text if isinstance(text, str) else text.decode(charset, "replace"))
                )
    elif request.method == "POST":
        pairs += _read_pairs(await request.body(), charset)
    return dict(pairs)


def _read_pairs(encoded: bytes, charset: str) -> list[tuple[str, str]]:
    """Pairs of a query or form; raw non-ASCII bytes are read as if they were percent-encoded."""
    text = _NOT_ASCII.sub(lambda match: b"%%%02X" % match[0][0], encoded).decode("ascii")
    return parse_qsl(text, keep_blank_values=True, encoding=charset, errors="replace")


@dataclass(slots=True)
class _Exchange:
    """One call, from its parameters to its answer or fault."""

    world: World
    parameters: Mapping[str, str]
    connection: Connection
    pause: _Pause

    async def run(self) -> None:
        fault = choose_fault(self.world, self.parameters)
        shown = {name: value for name, value in self.parameters.items() if name != "Token"}
        action = self.parameters.get("Action", "")
        record = CallRecord(self.world.clock.now(), action, shown)
        record.fault = fault.kind if fault else None
        self.world.calls.add(record)
        if fault is None:
            await self._answer(self._take(record))
        else:
            await self._go_wrong(fault, record)

    def _take(self, record: CallRecord) -> Answer:
        answer = answer_call(self.world, self.parameters)
        record.taken = True
        record.answer = "(rows)" if answer.text is None else answer.text[:_SHOWN_ANSWER]
        return answer

    async def _go_wrong(self, fault: Fault, record: CallRecord) -> None:
        if fault.kind == "slow":
            await self._answer_late(fault, record)
            return
        taken = self._take(record) if fault.taken else None
        endings: dict[str, Callable[[], Awaitable[None]]] = {
            "silence": lambda: self.connection.keep_silent(self.pause(fault.seconds)),
            "reset": self.connection.reset,
            "cut": lambda: self.connection.cut(self._response(taken or Answer("1234567"))),
            "status": lambda: self._plain("Internal Server Error", fault.status),
            "html": lambda: self._html(fault.status),
            "empty": lambda: self._plain("", 200),
            "code": lambda: self._answer(Answer(str(fault.code))),
        }
        await endings[fault.kind]()

    async def _answer_late(self, fault: Fault, record: CallRecord) -> None:
        answer = self._take(record) if fault.taken else None
        await self.pause(fault.seconds)
        await self._answer(answer or self._take(record))

    async def _answer(self, answer: Answer) -> None:
        if answer.rows is None:
            await self.connection.respond(self._response(answer))
            return
        charset = self.world.switches.charset
        await self.connection.stream(answer.rows, charset, self._headers())

    async def _plain(self, text: str, status: int) -> None:
        await self.connection.respond(Response(text, status, headers=self._headers()))

    async def _html(self, status: int) -> None:
        headers = {"content-type": "text/html; charset=utf-8"}
        await self.connection.respond(Response(_PROXY_PAGE, status, headers=headers))

    def _response(self, answer: Answer) -> Response:
        text = "".join(answer.rows) if answer.text is None and answer.rows else answer.text or ""
        if answer.one_line and self.world.switches.trailing_newline:
            text += "\n"
        content = text.encode(self.world.switches.charset, errors="replace")
        return Response(content, answer.status, headers=self._headers())

    def _headers(self) -> dict[str, str]:
        switches = self.world.switches
        return {"content-type": f"{switches.content_type}; charset={switches.charset}"}
