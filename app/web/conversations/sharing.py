"""What members do with conversations beside answering: done, assigned, notes."""

from starlette.responses import Response
from starlette.routing import Route

from app.domain.errors import InvalidInput
from app.domain.places import read_id_place
from app.flows.conversations.change_conversations import ConversationChange, add_note, change_all
from app.storage.conversations.conversations import State
from app.web.core.forms.form import Form
from app.web.core.site import Site, Visit, is_own_path

MOST_AT_ONCE = 200
DONE: dict[State, str] = {"done": "Marked as done.", "open": "Open again."}


def make_sharing_routes(site: Site) -> list[Route]:
    path = "/conversations/{id:int}"
    return [
        site.post(f"{path}/state", change_state),
        site.post(f"{path}/assign", assign),
        site.post(f"{path}/notes", write_note),
        site.post("/conversations/several", change_several),
    ]


async def change_state(visit: Visit) -> Response:
    """Mark a conversation as done, which leads back to the inbox, or open it again."""
    state = _read_state(await visit.read_form())
    await _change(visit, [visit.path_id], ConversationChange(state=state))
    return visit.redirect(_find_page(visit, state), DONE[state])


async def assign(visit: Visit) -> Response:
    """Assign a conversation to a member, or to nobody."""
    form = await visit.read_form()
    member_id = form.number("member")
    change = ConversationChange(assigned_to=member_id, unassign=member_id is None)
    path = f"/conversations/{visit.path_id}#about"
    try:
        await _change(visit, [visit.path_id], change)
    except InvalidInput as error:
        return visit.redirect(path, f"Not assigned: {error}.", kind="failed")
    return visit.redirect(path, "Unassigned." if member_id is None else "Assigned.")


async def write_note(visit: Visit) -> Response:
    """Add a note, which is never sent."""
    form = await visit.read_form()
    path = f"/conversations/{visit.path_id}#latest"
    try:
        await add_note(
            visit.database, visit.path_id, form.text("note"), who=visit.actor, now=visit.now
        )
    except InvalidInput as error:
        return visit.redirect(path, f"Note not added: {error}.", kind="failed")
    _tell(visit)
    return visit.redirect(path, "Note added.")


async def change_several(visit: Visit) -> Response:
    """Mark the ticked conversations of the inbox as done, or open them again."""
    form = await visit.read_form()
    state = _read_state(form)
    numbers = (read_id_place(each) for each in form.texts("id")[:MOST_AT_ONCE])
    ids = [each for each in numbers if each is not None]
    back = form.text("back", "/")
    path = back if is_own_path(back) else "/"
    if not ids:
        return visit.redirect(path, "Tick the conversations first.", kind="failed")
    await _change(visit, ids, ConversationChange(state=state))
    what = "1 conversation" if len(ids) == 1 else f"{len(ids)} conversations"
    return visit.redirect(path, f"{what} {'marked as done' if state == 'done' else 'opened'}.")


async def _change(visit: Visit, ids: list[int], change: ConversationChange) -> None:
    await change_all(visit.database, ids, change, who=visit.actor, now=visit.now)
    _tell(visit)


def _tell(visit: Visit) -> None:
    """Other people's pages follow at once."""
    visit.site.runtime.wakeups.notify("events")


def _read_state(form: Form) -> State:
    return "open" if form.text("state") == "open" else "done"


def _find_page(visit: Visit, state: State) -> str:
    return "/" if state == "done" else f"/conversations/{visit.path_id}#latest"
