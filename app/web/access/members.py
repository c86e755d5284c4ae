"""The members: invited by a link that is shown once, their roles, and where they are signed in."""

from starlette.responses import Response
from starlette.routing import Route

from app.domain.access.members import ROLES, Role
from app.domain.errors import Conflict, InvalidInput
from app.flows.access.invite import INVITATION_LIFE, Invitation, invite, renew_link, write_link
from app.flows.access.own_account import end_session
from app.flows.conversations.change_member import change_member
from app.storage.access import members
from app.storage.access.members import Member
from app.storage.access.sessions import list_sessions
from app.web.core.forms.form import WHOLE, Form
from app.web.core.lists import read_list
from app.web.core.site import Site, Visit

PATH = "/members"
SHOWN_SESSIONS = 50
# What the page of a member shows once.
LINK = "link"
ROLE_LABELS: dict[Role, str] = {
    "office": "Office: reads and answers texts",
    "admin": "Admin: everything, including rules, numbers, keys and members",
}


def make_member_routes(site: Site) -> list[Route]:
    return [
        site.get(PATH, show_members),
        site.post(PATH, invite_member),
        site.get(f"{PATH}/sessions", show_sessions),
        site.post(f"{PATH}/sessions/{{id:int}}/end", end_any_session),
        site.get(f"{PATH}/{{id:int}}", show_member),
        site.post(f"{PATH}/{{id:int}}", save_member),
        site.post(f"{PATH}/{{id:int}}/link", make_link),
        site.get(f"{PATH}/{{id:int}}/deactivate", ask_to_deactivate),
        site.post(f"{PATH}/{{id:int}}/deactivate", deactivate),
        site.post(f"{PATH}/{{id:int}}/activate", activate),
    ]


async def show_members(visit: Visit) -> Response:
    """Everybody, and a form to invite somebody."""
    return await _show_list(visit, Form())


async def invite_member(visit: Visit) -> Response:
    """Invite somebody; their page shows the link until somebody leaves it."""
    form = await visit.read_form()
    try:
        made = await invite(
            visit.database, form.text("name"), _read_role(form), who=visit.actor, now=visit.now
        )
    except InvalidInput as error:
        form.note(error, ("name", "role"))
    except Conflict as error:
        form.fail("name", str(error))
    else:
        return _show_link(visit, made)
    return await _show_list(visit, form, status=422)


async def show_member(visit: Visit) -> Response:
    return await _show(visit, await _find(visit), Form())


async def save_member(visit: Visit) -> Response:
    """Set the name and the role."""
    form = await visit.read_form()
    found = await _find(visit)
    try:
        changes = {"name": form.text("name"), "role": _read_role(form)}
        await change_member(visit.database, found.id, changes, who=visit.actor, now=visit.now)
    except InvalidInput as error:
        form.note(error, ("name", "role"))
    except Conflict as error:
        form.fail(WHOLE, str(error))
    else:
        return visit.redirect(f"{PATH}/{found.id}", "Saved.")
    return await _show(visit, found, form, status=422)


async def make_link(visit: Visit) -> Response:
    """A new link for somebody who was invited, or has lost the password."""
    return _show_link(
        visit, await renew_link(visit.database, visit.path_id, who=visit.actor, now=visit.now)
    )


async def ask_to_deactivate(visit: Visit) -> Response:
    return visit.render("access/member_deactivate.html", member=await _find(visit))


async def deactivate(visit: Visit) -> Response:
    """End the member's sessions, and let nobody sign in as them."""
    return await _set_state(visit, "deactivated", "is deactivated")


async def activate(visit: Visit) -> Response:
    return await _set_state(visit, "active", "can sign in again")


async def show_sessions(visit: Visit) -> Response:
    """Where everybody is signed in, the newest first."""
    page = await read_list(visit, list_sessions, now=visit.now)
    return visit.render("access/sessions.html", page=page, action=f"{PATH}/sessions")


async def end_any_session(visit: Visit) -> Response:
    ended = await end_session(
        visit.database, visit.path_id, by=visit.signed_in, who=visit.actor, now=visit.now
    )
    return visit.redirect(f"{PATH}/sessions", f"{ended.name} is signed out of that browser.")


async def _set_state(visit: Visit, state: str, done: str) -> Response:
    changed = await change_member(
        visit.database, visit.path_id, {"state": state}, who=visit.actor, now=visit.now
    )
    return visit.redirect(f"{PATH}/{changed.id}", f"{changed.name} {done}.")


async def _show_list(visit: Visit, form: Form, *, status: int = 200) -> Response:
    return visit.render(
        "access/members.html",
        status=status,
        page=await read_list(visit, members.list_members),
        form=form,
        roles=list(ROLE_LABELS.items()),
    )


async def _show(visit: Visit, member: Member, form: Form, *, status: int = 200) -> Response:
    sessions = await visit.database.read(
        list_sessions, now=visit.now, member_id=member.id, limit=SHOWN_SESSIONS
    )
    return visit.render(
        "access/member.html",
        status=status,
        member=member,
        form=form,
        roles=list(ROLE_LABELS.items()),
        sessions=sessions,
        action=f"{PATH}/sessions",
        link=visit.shown_once.get(LINK),
        days=INVITATION_LIFE.days,
    )


def _show_link(visit: Visit, made: Invitation) -> Response:
    link = write_link(visit.site.runtime.settings.base_url, made.token)
    return visit.redirect(f"{PATH}/{made.member.id}", once={LINK: link})


def _read_role(form: Form) -> Role:
    """Raises InvalidInput for a role that there is not."""
    wanted = form.text("role")
    for role in ROLES:
        if role == wanted:
            return role
    raise InvalidInput("choose a role", field="role")


async def _find(visit: Visit) -> Member:
    return await visit.database.read(members.get_member, visit.path_id)
