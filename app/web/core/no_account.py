"""The page in place of what the provider would show, while no account is set up."""

from starlette.responses import Response

from app.web.core.site import Visit


def show_no_account(visit: Visit, title: str) -> Response:
    """Its heading is that of the page."""
    return visit.render("core/no_account.html", title=title)
