"""Your account: the own password, and where one is signed in."""

from starlette.responses import Response
from starlette.routing import Route

from app.domain.access.passwords import SHORTEST_PASSWORD
from app.domain.errors import InvalidInput, TooManyTries
from app.flows.access.own_account import change_password, end_session
from app.storage.access.sessions import list_sessions
from app.web.core.forms.form import WHOLE, Form
from app.web.core.site import Site, Visit

PATH = "/account"
SHOWN_SESSIONS = 50


def make_account_routes(site: Site) -> list[Route]:
    return [
        site.get(PATH, show_account),
        site.post(f"{PATH}/password", save_password),
        site.get(f"{PATH}/password", go_back),
        site.post(f"{PATH}/sessions/{{id:int}}/end", end_own_session),
    ]


async def show_account(visit: Visit) -> Response:
    """A form for another password, and one's sessions."""
    return await _show(visit, Form())


async def save_password(visit: Visit) -> Response:
    """Set another password, which signs out the other browsers."""
    form = await visit.read_form()
    if form.raw("password") != form.raw("again"):
        form.fail("again", "the two passwords differ; write the same one twice")
        return await _show(visit, form, status=422)
    try:
        ended = await change_password(
            visit.database,
            visit.site.hashing,
            visit.signed_in,
            # Not trimmed: a password may end in a space.
            form.raw("current"),
            form.raw("password"),
            who=visit.actor,
            address=visit.address,
            now=visit.now,
        )
    except InvalidInput as error:
        form.note(error)
        return await _show(visit, form, status=422)
    except TooManyTries as error:
        form.fail(WHOLE, str(error))
        return await _show(visit, form, status=429)
    others = f" You are signed out of {_count(ended)}." if ended else ""
    return visit.redirect(PATH, f"Your password is changed.{others}")


async def go_back(visit: Visit) -> Response:
    """The account, for whoever opens the address of its form."""
    return visit.redirect(PATH)


async def end_own_session(visit: Visit) -> Response:
    await end_session(
        visit.database, visit.path_id, by=visit.signed_in, who=visit.actor, now=visit.now
    )
    return visit.redirect(PATH, "You are signed out of that browser.")


async def _show(visit: Visit, form: Form, *, status: int = 200) -> Response:
    sessions = await visit.database.read(
        list_sessions, now=visit.now, member_id=visit.member.id, limit=SHOWN_SESSIONS
    )
    has_shared = visit.site.runtime.settings.admin_password is not None
    return visit.render(
        "access/account.html",
        opened_by_shared=has_shared and visit.is_admin,
        status=status,
        form=form,
        sessions=sessions,
        action=f"{PATH}/sessions",
        shortest=SHORTEST_PASSWORD,
    )


def _count(ended: int) -> str:
    return "1 other browser" if ended == 1 else f"{ended} other browsers"
