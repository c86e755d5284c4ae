"""Parts of applications that serve one test after another: to build them costs more than a test."""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from fastapi import FastAPI

from app.api.http.connections import Connections
from app.api.operations.events import render_subject
from app.api.rest import Lifespan, build_rest
from app.flows.operations.event_stream import EventTail
from app.main import WebApplication, build_app
from app.runtime import Runtime
from app.web.core.rendering import Renderer

# What the routes keep of a runtime when they are made; all else they ask it for in each request.
KEPT = frozenset({"database", "settings"})


class Stand:
    """Stands where the routes expect an object, for the one that is theirs in this test."""

    def __init__(self, find: Callable[[], Any]) -> None:
        self._find = find

    def __getattr__(self, name: str) -> Any:
        if name in KEPT:
            return Stand(lambda: getattr(self._find(), name))
        return getattr(self._find(), name)


@dataclass
class _Test:
    """What is a test's own."""

    runtime: Runtime
    lifespan: Lifespan
    connections: Connections
    tail: EventTail


class _Built:
    """An interface, and the test that it serves."""

    def __init__(self, test: _Test) -> None:
        self.test = test

        @asynccontextmanager
        async def live(app: FastAPI) -> AsyncIterator[None]:
            async with self.test.lifespan(app):
                yield

        self.rest = build_rest(
            cast("Runtime", Stand(lambda: self.test.runtime)),
            lifespan=live,
            connections=cast("Connections", Stand(lambda: self.test.connections)),
            tail=cast("EventTail", Stand(lambda: self.test.tail)),
        )


_free: defaultdict[str, list[_Built]] = defaultdict(list)


@contextmanager
def building_app(runtime: Runtime) -> Iterator[WebApplication]:
    """The web application, whose parts serve the next one after the block.

    Only those of the same settings share an interface, for its routes keep some of them.
    """
    settings = runtime.settings.model_dump(exclude={"data_dir", "database_url"})
    free = _free[f"{runtime.secrets.api_key} {settings}"]
    lent: list[_Built] = []

    def lend_rest(runtime: Runtime, *, lifespan: Lifespan, connections: Connections) -> FastAPI:
        tail = EventTail(runtime.database, runtime.wakeups, render_subject)
        test = _Test(runtime, lifespan, connections, tail)
        built = free.pop() if free else _Built(test)
        built.test = test
        lent.append(built)
        return built.rest

    try:
        yield build_app(runtime, renderer=_share_renderer(), build_rest=lend_rest)
    finally:
        free.extend(lent)


@cache
def _share_renderer() -> Renderer:
    return Renderer()
