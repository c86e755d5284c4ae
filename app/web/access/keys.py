"""The API keys: created, shown once, revoked."""

from starlette.responses import Response
from starlette.routing import Route

from app.domain.access.credentials import SCOPES, Scope
from app.domain.errors import InvalidInput
from app.flows.access import configure
from app.storage.access import keys
from app.storage.access.keys import ApiKey
from app.web.core.forms.form import Form
from app.web.core.lists import read_list
from app.web.core.site import Site, Visit

PATH = "/keys"
SCOPE_LABELS: dict[Scope, str] = {
    "messages:read": "Read texts, conversations, the outbox and statistics; mark as read",
    "messages:send": "Send, cancel, resolve texts; change opt-outs; with messages:read, replay",
    "rules:write": "Change rules; with messages:read, test them on texts",
    "admin": "Everything, including numbers and keys",
}


def make_key_routes(site: Site) -> list[Route]:
    return [
        site.get(PATH, list_keys),
        site.post(PATH, create_key),
        site.get(f"{PATH}/{{id:int}}/revoke", ask_to_revoke),
        site.post(f"{PATH}/{{id:int}}/revoke", revoke_key),
    ]


async def list_keys(visit: Visit) -> Response:
    """The keys' names and permissions, and a form to create one."""
    return await _show_list(visit, Form())


async def create_key(visit: Visit) -> Response:
    """Create a key; the page of keys shows it until somebody leaves it."""
    form = await visit.read_form()
    scopes = [scope for scope in form.texts("scopes") if scope in SCOPES]
    try:
        made = await configure.create_key(
            visit.database, form.text("name"), scopes, who=visit.actor, now=visit.now
        )
    except InvalidInput as error:
        form.note(error, ("name", "scopes"))
        return await _show_list(visit, form, status=422)
    return visit.redirect(PATH, once={"name": made.key.name, "secret": made.secret})


async def ask_to_revoke(visit: Visit) -> Response:
    return visit.render("access/key_revoke.html", key=await _find(visit))


async def revoke_key(visit: Visit) -> Response:
    key = await _find(visit)
    await configure.revoke_key(visit.database, key.id, who=visit.actor, now=visit.now)
    return visit.redirect(PATH, f"The key {key.name} has been revoked.")


async def _show_list(visit: Visit, form: Form, *, status: int = 200) -> Response:
    return visit.render(
        "access/keys.html",
        status=status,
        page=await read_list(visit, keys.list_keys),
        form=form,
        made=visit.shown_once,
        scope_labels=SCOPE_LABELS,
        base_url=visit.site.runtime.settings.base_url,
    )


async def _find(visit: Visit) -> ApiKey:
    return await visit.database.read(keys.get_key, visit.path_id)
