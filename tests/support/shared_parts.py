"""Applications that share what costs more to make than a test takes."""

from functools import cache
from zoneinfo import ZoneInfo

from app.main import WebApplication, build_app
from app.runtime import Runtime
from app.web.core.rendering.renderer import Renderer


def build_with_shared_parts(runtime: Runtime) -> WebApplication:
    """The web application; its pages' templates are compiled once for all tests of a process."""
    return build_app(runtime, renderer=_share_renderer())


@cache
def _share_renderer() -> Renderer:
    return Renderer(ZoneInfo("Europe/London"))
