"""The pages by which people sign in and out."""

import math

from starlette.responses import Response
from starlette.routing import Route

from app.domain.access.passwords import SHORTEST_PASSWORD
from app.domain.errors import Conflict, InvalidInput, TooManyTries
from app.flows.access import sign_in
from app.flows.access.invite import accept_invitation
from app.flows.access.sign_in import Browser, SessionWithToken
from app.storage.access.members import find_member, has_passwords
from app.web.core.forms.form import WHOLE, Form
from app.web.core.site import SIGN_IN, Site, Visit, is_own_path

HOME = "/"
# Anyone can send these forms, and reading one of the usual limit takes a second.
MAX_BYTES = 16 * 1024


def make_sign_in_routes(site: Site) -> list[Route]:
    return [
        site.open_to_all(SIGN_IN, show_sign_in),
        site.open_to_all(SIGN_IN, take_password, "POST"),
        site.open_to_all(f"{SIGN_IN}/link", take_link, "POST"),
        site.open_to_all(f"{SIGN_IN}/invitation", take_invitation, "POST"),
        site.post("/sign-out", sign_out),
        site.post("/sign-out/everywhere", sign_out_everywhere),
    ]


async def show_sign_in(visit: Visit) -> Response:
    """The button of a link, the form of an invitation, or the one for name and password.

    Opening a link does not use it: mail programs and chats open links before people do.
    """
    query = visit.query
    token = query.text("link")
    if not token:
        if visit.session is not None:
            return visit.redirect(HOME)
        return await _show_form(visit, Form([("next", query.text("next"))]))
    link = await sign_in.find_login_link(visit.database, token, now=visit.now)
    if link is None:
        return _show_spent(visit)
    if link.kind == "invitation":
        return _show_invitation(visit, Form(), token, link.name)
    is_new = link.member_id is None and not await visit.database.read(find_member, link.name)
    return visit.render(
        "access/sign_in/sign_in_link.html", name=link.name, token=token, is_new=is_new
    )


async def take_link(visit: Visit) -> Response:
    """Use a link and begin a session."""
    form = await visit.read_form(max_bytes=MAX_BYTES)
    made = await sign_in.use_login_link(
        visit.database,
        form.text("link"),
        browser=_find_browser(visit),
        now=visit.now,
    )
    return _show_spent(visit) if made is None else _welcome(visit, made, HOME)


async def take_invitation(visit: Visit) -> Response:
    """Set the password that somebody chose, and begin a session."""
    form = await visit.read_form(max_bytes=MAX_BYTES)
    token, password = form.text("link"), form.raw("password")
    link = await sign_in.find_login_link(visit.database, token, now=visit.now)
    if link is None:
        return _show_spent(visit)
    if password != form.raw("again"):
        form.fail("again", "the two passwords differ; write the same one twice")
        return _show_invitation(visit, form, token, link.name)
    try:
        made = await accept_invitation(
            visit.database,
            visit.site.hashing,
            token,
            password,
            browser=_find_browser(visit),
            now=visit.now,
        )
    except InvalidInput as error:
        form.note(error)
        return _show_invitation(visit, form, token, link.name)
    return _show_spent(visit) if made is None else _welcome(visit, made, HOME)


async def take_password(visit: Visit) -> Response:
    """Begin a session for a member who knows their password, or whoever knows ADMIN_PASSWORD."""
    form = await visit.read_form(max_bytes=MAX_BYTES)
    if not await _has_passwords(visit):
        return await _show_form(visit, form, status=403)
    password = visit.site.runtime.settings.admin_password
    try:
        made = await sign_in.sign_in_by_password(
            visit.database,
            visit.site.hashing,
            None if password is None else password.get_secret_value(),
            # Not trimmed: a password may end in a space.
            form.raw("password"),
            name=form.text("name"),
            browser=_find_browser(visit),
            now=visit.now,
        )
    except InvalidInput as error:
        form.note(error)
        return await _show_form(visit, form, status=422)
    except Conflict as error:
        form.fail("name", str(error))
        return await _show_form(visit, form, status=422)
    except TooManyTries as error:
        form.fail(WHOLE, str(error))
        response = await _show_form(visit, form, status=429)
        response.headers["Retry-After"] = str(math.ceil(error.wait.total_seconds()))
        return response
    # A name mistyped here makes a member, too.
    news = f"{made.session.name} is a new member, an admin." if made.is_new else ""
    return _welcome(visit, made, form.text("next"), news)


async def sign_out(visit: Visit) -> Response:
    """End this session."""
    await sign_in.sign_out(visit.database, visit.signed_in, who=visit.actor, now=visit.now)
    return _say_goodbye(visit, "You are signed out.")


async def sign_out_everywhere(visit: Visit) -> Response:
    """End every session of this member, in every browser."""
    count = await sign_in.sign_out_everywhere(
        visit.database, visit.signed_in, who=visit.actor, now=visit.now
    )
    browsers = "1 browser" if count == 1 else f"{count} browsers"
    return _say_goodbye(visit, f"{visit.signed_in.name} is signed out of {browsers}.")


async def _show_form(visit: Visit, form: Form, *, status: int = 200) -> Response:
    has_password = await _has_passwords(visit)
    return visit.render(
        "access/sign_in/sign_in.html", status=status, form=form, has_password=has_password
    )


def _show_invitation(visit: Visit, form: Form, token: str, name: str) -> Response:
    return visit.render(
        "access/sign_in/sign_in_invited.html",
        status=422 if form.errors else 200,
        form=form,
        token=token,
        name=name,
        shortest=SHORTEST_PASSWORD,
    )


def _show_spent(visit: Visit) -> Response:
    return visit.render("access/sign_in/sign_in_spent.html", status=403)


def _welcome(visit: Visit, made: SessionWithToken, path: str, news: str = "") -> Response:
    response = visit.redirect(path if is_own_path(path) else HOME, news)
    visit.site.cookies.set_session(response, made.token)
    return response


def _say_goodbye(visit: Visit, text: str) -> Response:
    response = visit.redirect(SIGN_IN, text)
    visit.site.cookies.forget_session(response)
    return response


async def _has_passwords(visit: Visit) -> bool:
    """Whether any password opens anything."""
    is_set = visit.site.runtime.settings.admin_password is not None
    return is_set or await visit.database.read(has_passwords)


def _find_browser(visit: Visit) -> Browser:
    return Browser(visit.request.headers.get("user-agent", ""), visit.address)
