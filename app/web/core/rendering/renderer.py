"""Turns templates into pages; the template engine is imported when the first page is asked for."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from app.domain.access.members import describe_actor
from app.domain.numbers import write_number
from app.web.core.forms.moments import write_local, write_moment
from app.web.core.rendering.assets import Assets
from app.web.core.rendering.browsers import describe_browser
from app.web.core.rendering.highlighting import (
    mark_number,
    mark_words,
    write_excerpt,
    write_summary,
)
from app.web.core.rendering.links import link_addresses

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER = Path(__file__).parents[2] / "templates"


class Renderer:
    """The templates, compiled when they are first used, and the files that they name.

    Times are written in the service's zone, which a script replaces by the reader's.
    """

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self.assets = Assets()

    @cached_property
    def _environment(self) -> "Environment":
        # A process that serves no page saves the memory.
        from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415

        environment = Environment(
            loader=FileSystemLoader(FOLDER),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        # A page writes each of its times twice or thrice, and the next page many of them again.
        remember = lru_cache(maxsize=2048)
        environment.globals["asset"] = self.assets.make_path
        environment.globals["service_zone"] = self._zone
        environment.filters.update(
            iso=remember(write_iso),
            local=remember(partial(write_local, zone=self._zone)),
            typed=write_moment,
            number=write_number,
            summary=write_summary,
            who=_make_who_filter(),
            browser=describe_browser,
            links=link_addresses,
            sentence=write_sentence,
            code=write_code,
            marked=mark_words,
            marked_number=mark_number,
            excerpt=write_excerpt,
        )
        return environment

    async def prepare(self) -> None:
        """Load the engine and the layout in a thread, so that texts are received meanwhile."""
        if "_environment" not in vars(self):
            await asyncio.to_thread(lambda: self._environment.get_template("core/layout.html"))

    def render(self, template: str, context: dict[str, Any]) -> str:
        """The text of a template; whatever it is given is escaped."""
        return self._environment.get_template(template).render(context)


def write_iso(time: datetime) -> str:
    """As programs read it: `2026-11-29T05:51:46Z`."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def write_code(text: str) -> str:
    """A text of ours, with what stands between backquotes as code; all else is escaped."""
    from markupsafe import Markup, escape  # noqa: PLC0415 it comes with the engine

    parts = text.split("`")
    shown = [
        Markup("<code>{}</code>").format(part) if position % 2 else escape(part)
        for position, part in enumerate(parts)
    ]
    return Markup("").join(shown)


def _make_who_filter() -> Callable[..., str]:
    from jinja2 import pass_context  # noqa: PLC0415 as above

    @pass_context
    def write(context: Any, actor: str) -> str:
        """Needs the page's context: in a macro of another file, import it `with context`."""
        return describe_actor(actor, context["visit"].member_names)

    return write


def write_sentence(text: str) -> str:
    """An error's text as a sentence begins."""
    return f"{text[:1].upper()}{text[1:]}"
