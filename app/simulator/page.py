"""The simulator's page: a form to text a number, and the newest texts in both directions."""

from collections.abc import Sequence
from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from app.simulator.actions.magic import list_magic_numbers
from app.simulator.simulator import Simulator, UnknownNumberError
from app.simulator.state.incoming import IncomingText
from app.simulator.state.outgoing import OutgoingText
from app.simulator.state.world import World

_SHOWN = 25
_WAIT_SECONDS = 2.0
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100%; font-size: 0.9rem }
th, td { border-bottom: 1px solid #8886; padding: 0.3rem 0.5rem; text-align: left }
td { overflow-wrap: anywhere }
label { display: block; margin: 0.5rem 0 } input, select, textarea { font: inherit; width: 100% }
.problem { color: #c22 }
:root { color-scheme: light dark }
"""


class Page:
    """The page of one simulator: works without scripts; reload it to see what has changed."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def routes(self) -> list[Route]:
        return [
            Route("/", self.show, methods=["GET"]),
            Route("/", self.send_in, methods=["POST"]),
        ]

    async def show(self, _request: Request) -> Response:
        return HTMLResponse(render_page(self._simulator.world))

    async def send_in(self, request: Request) -> Response:
        async with request.form() as form:
            source, dest, body = (str(form.get(name, "")) for name in ("source", "dest", "body"))
        try:
            await self._simulator.receive_text(source.strip(), dest, body, _WAIT_SECONDS)
        except UnknownNumberError:
            problem = f"There is no number {dest}."
            return HTMLResponse(render_page(self._simulator.world, problem), 422)
        return RedirectResponse("/", 303)


def render_page(world: World, problem: str = "") -> str:
    now = world.clock.now()
    balances = ", ".join(f"{escape(one.username)}: {one.credits:.2f}" for one in world.accounts)
    parts = [
        "<!DOCTYPE html><html lang=en><meta charset=utf-8>",
        "<meta name=viewport content='width=device-width'><title>Provider simulator</title>",
        f"<style>{_STYLE}</style><h1>Provider simulator</h1>",
        f"<p>It is {now:%Y-%m-%d %H:%M:%S} UTC here, at {world.clock.speed:g} times the usual",
        f" speed. Credits: {balances}. <a href='/'>Look again</a></p>",
        f"<p class=problem>{escape(problem)}</p>" if problem else "",
        _render_form(world),
        _render_incoming(world.incoming.texts[-_SHOWN:]),
        _render_outgoing(world.outgoing.texts[-_SHOWN:], world),
        _render_magic(),
    ]
    return "".join(parts)


def _render_form(world: World) -> str:
    options = "".join(
        f"<option value='{number.number}'>{number.number} to {escape(number.url or 'nowhere')}"
        for number in world.incoming.numbers.values()
    )
    return (
        "<h2>Text a number</h2><form method=post>"
        "<label>From <input name=source value=447700900011 required></label>"
        f"<label>To <select name=dest>{options}</select></label>"
        "<label>Text <textarea name=body rows=3></textarea></label>"
        "<button>Send it</button></form>"
    )


def _render_incoming(texts: Sequence[IncomingText]) -> str:
    rows = [
        (str(text.id), text.source, text.dest, text.body, _describe_forwards(text))
        for text in reversed(texts)
    ]
    return "<h2>Came in</h2>" + _table(("Id", "From", "To", "Text", "Forwarded"), rows)


def _describe_forwards(text: IncomingText) -> str:
    outcomes = [
        attempt.error or f"HTTP {attempt.answer} in {1000 * (attempt.seconds or 0):.0f} ms"
        for attempt in text.attempts
    ]
    return "; ".join(outcomes) or "not yet"


def _render_outgoing(texts: Sequence[OutgoingText], world: World) -> str:
    now = world.clock.now()
    rows = [
        (
            str(text.first_id),
            text.source,
            text.destination,
            text.body,
            text.status(now) or "",
            str(text.parts),
        )
        for text in reversed(texts)
    ]
    return "<h2>Went out</h2>" + _table(("Id", "From", "To", "Text", "Status", "Parts"), rows)


def _render_magic() -> str:
    table = _table(("Number", "What a send to it does"), list(list_magic_numbers().items()))
    return f"<h2>Magic numbers</h2><details><summary>Show them</summary>{table}</details>"


def _table(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    head = "".join(f"<th>{escape(heading)}" for heading in headings)
    body = "".join("<tr>" + "".join(f"<td>{escape(field)}" for field in row) for row in rows)
    return f"<table><tr>{head}{body}</table>"
