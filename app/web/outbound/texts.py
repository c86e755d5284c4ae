"""Single texts: the request that brought one, and cancelling or resolving outgoing ones."""

from starlette.responses import Response
from starlette.routing import Route

from app.domain.errors import Conflict, InvalidInput
from app.domain.inbound.messages import RawForward
from app.flows.inbound.replay import replay_message
from app.flows.operations.erasures.remove_message import remove_message
from app.flows.outbound.attend import attend_text
from app.flows.outbound.cancel import cancel_text
from app.flows.outbound.sending.resolve import ResolvedOutcome, resolve_text
from app.storage.conversations.conversations import get_conversations
from app.storage.inbound.search import get_message
from app.web.core.forms.form import Form
from app.web.core.rendering.wording import explain_problem
from app.web.core.site import Site, Visit, is_own_path

RESOLVED: dict[ResolvedOutcome, str] = {
    "sent": "Saved as sent.",
    "resend": "Queued to be sent again.",
    "failed": "Saved as not sent.",
}


def make_text_routes(site: Site) -> list[Route]:
    return [
        site.get("/messages/{id:int}", show_message),
        site.get("/messages/{id:int}/delete", confirm_removal),
        site.post("/messages/{id:int}/delete", remove),
        site.post("/messages/{id:int}/replay", replay),
        site.post("/texts/{id:int}/attend", attend),
        site.post("/texts/{id:int}/cancel", cancel),
        site.post("/texts/{id:int}/resolve", resolve),
    ]


async def show_message(visit: Visit) -> Response:
    """An incoming text with every parameter of its request; its `auth` is not stored."""
    message = await visit.database.read(get_message, visit.path_id)
    return visit.render(
        "conversations/message.html",
        message=message,
        conversation_id=message.conversation_id,
        raw=RawForward.from_bytes(message.raw),
        explain_problem=explain_problem,
    )


async def replay(visit: Visit) -> Response:
    """Parse an incoming text again, and run the rules again unless it was answered."""
    runtime = visit.site.runtime
    path = f"/messages/{visit.path_id}"
    try:
        replayed = await replay_message(
            visit.database,
            visit.path_id,
            zone=runtime.settings.zone,
            region=visit.region,
            limits=runtime.settings.reply_limits,
            who=visit.actor,
            now=visit.now,
        )
    except Conflict as error:
        return visit.redirect(path, f"Not reprocessed: {error}.", kind="failed")
    runtime.announce_texts()
    answered = "an answer is queued" if replayed.queued else "no rule answers it anew"
    return visit.redirect(path, f"Reprocessed: {answered}.")


async def confirm_removal(visit: Visit) -> Response:
    """Ask whether an incoming text is to be deleted for good."""
    message = await visit.database.read(get_message, visit.path_id)
    return visit.render("conversations/message_delete.html", message=message)


async def remove(visit: Visit) -> Response:
    """Delete an incoming text for good."""
    message = await visit.database.read(get_message, visit.path_id)
    try:
        await remove_message(visit.database, message.id, who=visit.actor, now=visit.now)
    except Conflict as error:
        return visit.redirect(f"/messages/{message.id}", f"Not deleted: {error}.", kind="failed")
    visit.site.runtime.announce_changes()
    left = await visit.database.read(get_conversations, [message.conversation_id or 0])
    path = f"/conversations/{left[0].id}" if left else "/"
    return visit.redirect(path, "Deleted for good.")


async def attend(visit: Visit) -> Response:
    """Note that somebody has dealt with a failed text to a list or group."""
    path = f"/outbox/{visit.path_id}"
    try:
        await attend_text(visit.database, visit.path_id, who=visit.actor, now=visit.now)
    except Conflict as error:
        return visit.redirect(path, f"Nothing was changed: {error}.", kind="failed")
    return visit.redirect(path, "Marked as dealt with.")


async def cancel(visit: Visit) -> Response:
    """Cancel a text that has not been sent."""
    form = await visit.read_form()
    runtime = visit.site.runtime
    try:
        await cancel_text(
            visit.database,
            runtime.get_provider,
            visit.path_id,
            who=visit.actor,
            now=visit.now,
        )
    except Conflict as error:
        return _go_back(visit, form, f"Not cancelled: {error}.", failed=True)
    runtime.announce_texts()
    return _go_back(visit, form, "Cancelled: it will not be sent.")


async def resolve(visit: Visit) -> Response:
    """Say what became of an uncertain text."""
    form = await visit.read_form()
    outcome = next((each for each in RESOLVED if each == form.text("outcome")), None)
    if outcome is None:
        return _go_back(visit, form, "Choose what happened to the text.", failed=True)
    try:
        await resolve_text(
            visit.database,
            visit.path_id,
            outcome,
            provider_id=form.text("provider_id") or None,
            attempt=form.number("attempt"),
            who=visit.actor,
            now=visit.now,
        )
    except (Conflict, InvalidInput) as error:
        return _go_back(visit, form, f"Nothing was changed: {error}.", failed=True)
    visit.site.runtime.announce_texts()
    return _go_back(visit, form, RESOLVED[outcome])


def _go_back(visit: Visit, form: Form, text: str, *, failed: bool = False) -> Response:
    """To the page that the form was on, which it names."""
    path = form.text("next")
    return visit.redirect(
        path if is_own_path(path) else "/", text, kind="failed" if failed else "done"
    )
