"""A conversation: the thread of both directions, who it is with, and the reply form."""

from collections.abc import Mapping

from starlette.responses import Response
from starlette.routing import Route

from app.domain.errors import Conflict, InvalidInput, NoProvider
from app.domain.outbound.plain_text import write_plainly
from app.domain.outbound.requests import OutboundRequest
from app.domain.places import read_thread_place
from app.domain.rules.rules import Rule
from app.flows.conversations.mark_read import mark_seen, mark_unread
from app.flows.rules.opt_out import opt_in, opt_out
from app.storage.access.members import list_active_members
from app.storage.conversations.conversations import Conversation, get_conversation
from app.storage.conversations.notes import Note
from app.storage.conversations.people import find_person
from app.storage.inbound.search import Message
from app.web.conversations.drafts import (
    ASKING_MILLISECONDS,
    end_draft,
    list_writers,
    read_draft,
    save_fields,
)
from app.web.conversations.inbox import read_newest
from app.web.conversations.opened import Opened, Place, open_thread
from app.web.conversations.people import SOURCES
from app.web.core.forms.form import WHOLE, Form
from app.web.core.forms.moments import read_moment
from app.web.core.forms.one_time_forms import find_nonce
from app.web.core.obstacles import find_obstacle
from app.web.core.rendering.wording import explain_outcome, explain_problem, explain_status
from app.web.core.site import PART, Site, Visit
from app.web.outbound.saved_replies import insert_reply, list_choices
from app.web.outbound.writing import measure, note_faults, send_once
from app.web.rules.rule_forms import list_conditions

REPLY_FIELDS = ("body", "schedule_at", "force")


def make_conversation_routes(site: Site) -> list[Route]:
    path = "/conversations/{id:int}"
    return [
        site.get(path, show_conversation),
        site.post(f"{path}/reply", reply),
        site.post(f"{path}/unread", leave_unread),
        site.post(f"{path}/opt-out", switch_opt_out),
    ]


async def show_conversation(visit: Visit) -> Response:
    """The thread, newest last; what is shown is marked as read."""
    opened = await visit.database.read(open_thread, visit.path_id, _read_place(visit))
    if _is_seen(visit) and opened.unread:
        await mark_seen(visit.database, opened.unread, now=visit.now)
        visit.site.runtime.announce_read()
    draft = await read_draft(visit, opened.conversation.id)
    return await _show(visit, opened, Form(draft.items()))


async def reply(visit: Visit) -> Response:
    """Queue a reply, or show the form again: its length, plain characters, a saved reply."""
    form = await visit.read_form()
    found = await visit.database.read(get_conversation, visit.path_id)
    status = 200
    if form.has("plain"):
        form.replace("body", write_plainly(form.text("body")))
    elif form.has("insert"):
        await insert_reply(visit, form)
    elif not form.has("preview"):
        try:
            wanted = _read_reply(form, found, visit)
            await send_once(visit, form, wanted)
        except InvalidInput as error:
            note_faults(form, error, REPLY_FIELDS)
            status = 422
        except (Conflict, NoProvider) as error:
            form.fail(WHOLE, str(error))
            status = 409
        else:
            await end_draft(visit, found.id)
            done = "Scheduled." if wanted.schedule_at else "Queued: it will be sent in a moment."
            return visit.redirect(f"/conversations/{found.id}#latest", done)
    await save_fields(visit, found.id, form, ["body"])
    opened = await visit.database.read(open_thread, found.id, Place())
    return await _show(visit, opened, form, status=status)


async def leave_unread(visit: Visit) -> Response:
    """Mark the newest text as unread, and go where that does not undo it."""
    found = await visit.database.read(get_conversation, visit.path_id)
    if found.last_message is not None:
        await mark_unread(visit.database, found.last_message.id)
        visit.site.runtime.announce_read()
    return visit.redirect("/", "Marked as unread.")


async def switch_opt_out(visit: Visit) -> Response:
    """Opt the sender out of all our texts, or back in."""
    form = await visit.read_form()
    found = await visit.database.read(get_conversation, visit.path_id)
    if form.has("out"):
        await opt_out(
            visit.database,
            found.source,
            reason=form.text("reason") or "asked for it",
            who=visit.actor,
            now=visit.now,
        )
        done = "Opted out: this number receives no more texts."
    else:
        await opt_in(visit.database, found.source, who=visit.actor, now=visit.now)
        done = "Opted back in."
    visit.site.runtime.announce_texts()
    return visit.redirect(f"/conversations/{found.id}#latest", done)


async def _show(visit: Visit, opened: Opened, form: Form, *, status: int = 200) -> Response:
    body = form.text("body")
    conversation = opened.conversation
    rows, numbers = await visit.database.read(read_newest, visit.region)
    return visit.render(
        "conversations/conversation.html",
        status=status,
        opened=opened,
        conversation=conversation,
        conversation_id=conversation.id,
        obstacle=await find_obstacle(visit),
        rows=rows,
        saved_replies=await visit.database.read(list_choices),
        labels={each.number: each.label for each in numbers},
        form=form,
        nonce=find_nonce(form),
        measure=measure(body, [conversation.source]) if body else None,
        card=await visit.database.read(find_person, conversation.source),
        sources=SOURCES,
        members=await visit.database.read(list_active_members),
        writers=await list_writers(visit, conversation.id),
        asking=ASKING_MILLISECONDS,
        is_message=lambda entry: isinstance(entry, Message),
        is_note=lambda entry: isinstance(entry, Note),
        explain_status=lambda text: explain_status(text, visit.now),
        explain_problem=explain_problem,
        explain_outcome=lambda message: _explain_outcome(visit, message, opened.rules),
    )


def _explain_outcome(visit: Visit, message: Message, rules: Mapping[int, Rule]) -> str:
    """Which rule answered and by which of its conditions, or why none did."""
    rule = rules.get(message.rule_id or 0)
    return explain_outcome(
        message.outcome_code,
        rule.name if rule else None,
        list_conditions(rule, {}, shows_pattern=visit.is_admin) if rule else (),
        is_handled=message.handled_at is not None,
    )


def _read_reply(form: Form, conversation: Conversation, visit: Visit) -> OutboundRequest:
    last = conversation.last_message
    schedule_at = read_moment(form, "schedule_at", visit.site.runtime.settings.zone)
    return OutboundRequest(
        source=conversation.dest,
        body=form.text("body"),
        to=conversation.source,
        is_stored=True,
        schedule_at=schedule_at,
        in_reply_to=last.id if last else None,
        force=form.has("force"),
    )


def _read_place(visit: Visit) -> Place:
    query = visit.query
    return Place(
        read_thread_place(query.text("before")),
        query.number("at"),
        query.number("new"),
        visit.request.headers.get(PART, ""),
    )


def _is_seen(visit: Visit) -> bool:
    """Whether a person sees the page: not for HEAD, a prefetch or a hidden tab."""
    headers = visit.request.headers
    return (
        visit.request.method == "GET"
        and "prefetch" not in headers.get("sec-purpose", "")
        and headers.get(PART, "seen") == "seen"
    )
