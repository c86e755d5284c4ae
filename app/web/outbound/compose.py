"""A new message to one or many numbers, a list or a group: written, previewed, then queued."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from starlette.responses import Response
from starlette.routing import Route

from app.domain.errors import Conflict, InvalidInput, NoProvider
from app.domain.inbound.messages import make_pair_key
from app.domain.outbound.plain_text import write_plainly
from app.domain.outbound.requests import OutboundRequest
from app.flows.outbound.compose import Look, look_at_text
from app.storage.conversations.drafts import NEW_MESSAGE
from app.storage.conversations.inbox import LabelledNumber, find_conversation, list_our_numbers
from app.storage.db.database import Connection
from app.storage.outbound.sender import get_sender
from app.web.conversations.drafts import end_draft, read_draft, save_fields
from app.web.core.forms import WHOLE, Form
from app.web.core.one_time_forms import find_nonce
from app.web.core.site import Site, Visit
from app.web.outbound.writing import (
    measure,
    normalise_numbers,
    note_faults,
    read_moment,
    read_numbers,
    send_once,
)

PATH = "/new"
FIELDS = ("to", "list", "group", "source", "own_source", "body", "schedule_at", "schedule_by")
# A time that was chosen yesterday is not kept.
DRAFT_FIELDS = ("to", "list", "group", "body")
# Kept with them.
DRAFT_CHOICES = ("kind", "source", "own_source")
# The kinds of recipient; each has a field of its own.
KINDS = ("to", "list", "group")
# The choice “Other sender…”.
OWN = "own"

GoOn = Callable[[Visit, Form, OutboundRequest, Look], Awaitable[Response]]


def make_compose_routes(site: Site) -> list[Route]:
    return [
        site.get(PATH, show_form),
        site.post(PATH, take_form),
        site.post(f"{PATH}/send", send),
        site.post(f"{PATH}/draft", take_draft),
    ]


async def show_form(visit: Visit) -> Response:
    """This person's draft, or a form that a link filled in: `to`, `source`, `group`."""
    query = visit.query
    if not any(query.text(name) for name in FIELDS):
        query = Form((await read_draft(visit, NEW_MESSAGE)).items())
    return await _show(visit, query)


async def take_draft(visit: Visit) -> Response:
    """What somebody has written so far, sent by the script every other second."""
    form = await visit.read_form()
    await save_fields(visit, NEW_MESSAGE, form, DRAFT_FIELDS, DRAFT_CHOICES)
    return Response(status_code=204)


async def take_form(visit: Visit) -> Response:
    """The preview, or the form again: with errors, to check the length, or to edit."""
    form = await visit.read_form()
    if form.has("plain"):
        form.replace("body", write_plainly(form.text("body")))
    await save_fields(visit, NEW_MESSAGE, form, DRAFT_FIELDS, DRAFT_CHOICES)
    if form.has("change") or form.has("preview") or form.has("plain"):
        return await _show(visit, form)
    return await _preview(visit, form, _show_look)


async def send(visit: Visit) -> Response:
    """Queue what was previewed; opted-out numbers are left out unless `force` is ticked."""
    return await _preview(visit, await visit.read_form(), _send)


async def _preview(
    visit: Visit,
    form: Form,
    go_on: Callable[[Visit, Form, OutboundRequest, Look], Awaitable[Response]],
) -> Response:
    """Check what the form asks for and go on, or show the form again with its errors."""
    try:
        wanted = _read_wanted(visit, form)
        zone = visit.site.runtime.settings.zone
        look = await look_at_text(
            visit.database, wanted, region=visit.region, zone=zone, now=visit.now
        )
    except InvalidInput as error:
        note_faults(form, _rename(error), FIELDS)
        return await _show(visit, form, status=422)
    return await go_on(visit, form, wanted, look)


async def _send(visit: Visit, form: Form, wanted: OutboundRequest, look: Look) -> Response:
    force = form.has("force")
    left = [each for each in look.numbers if force or each not in look.opted_out]
    if look.numbers and not left:
        form.fail(WHOLE, "all of these numbers have opted out: there is nobody to send it to")
        return await _show_look(visit, form, wanted, look)
    chosen = replace(wanted, to=left, force=force) if look.numbers else wanted
    try:
        await send_once(visit, form, chosen)
    except (InvalidInput, Conflict, NoProvider) as error:
        form.fail(WHOLE, str(error))
        return await _show_look(visit, form, wanted, look)
    await end_draft(visit, NEW_MESSAGE)
    return await _go_on(visit, look, left, is_scheduled=wanted.schedule_at is not None)


async def _go_on(
    visit: Visit, look: Look, numbers: Sequence[str], *, is_scheduled: bool
) -> Response:
    """To the conversation for one number, else to the inbox."""
    count = "1 text" if len(numbers) <= 1 else f"{len(numbers)} texts"
    done = f"{count} {'scheduled' if is_scheduled else 'queued'}."
    if len(numbers) == 1:
        pair_key = make_pair_key(look.source, numbers[0])
        found = await visit.database.read(find_conversation, pair_key)
        if found is not None:
            return visit.redirect(f"/conversations/{found}#latest", done)
    return visit.redirect("/", done)


async def _show(visit: Visit, form: Form, *, status: int = 200) -> Response:
    numbers, obstacle = await visit.database.read(_read_senders)
    if visit.site.runtime.provider is None:
        obstacle = "No provider account is set up, so nothing can be sent."
    body = form.text("body")
    return visit.render(
        "outbound/new.html",
        status=status,
        form=form,
        kind=_read_kind(form),
        numbers=numbers,
        obstacle=obstacle,
        measure=measure(body, normalise_numbers(visit, form.text("to"))) if body else None,
        zone=visit.site.runtime.settings.provider_timezone,
    )


async def _show_look(visit: Visit, form: Form, wanted: OutboundRequest, look: Look) -> Response:
    return visit.render(
        "outbound/new_look.html",
        status=422 if form.errors else 200,
        form=form,
        wanted=wanted,
        look=look,
        fields=[(name, form.text(name)) for name in (*FIELDS, "kind") if form.text(name)],
        nonce=find_nonce(form),
        measure=measure(wanted.body, [n for n in look.numbers if n not in look.opted_out]),
    )


def _read_senders(conn: Connection) -> tuple[list[LabelledNumber], str]:
    """Our numbers, and why nothing would be sent now, if so."""
    state = get_sender(conn)
    obstacle = ""
    if state.state != "running":
        reason = state.reason or "no reason was given"
        obstacle = f"Sending is {state.state} ({reason}): texts you send now wait until it resumes."
    return list_our_numbers(conn), obstacle


def _read_kind(form: Form) -> str:
    kind = form.text("kind")
    if kind in KINDS:
        return kind
    return next((each for each in KINDS if form.text(each)), KINDS[0])


def _read_wanted(visit: Visit, form: Form) -> OutboundRequest:
    """Raises InvalidInput."""
    kind = _read_kind(form)
    source = form.text("source")
    source = form.text("own_source") if source == OWN else source
    if not source:
        raise InvalidInput("choose a sender", field="source")
    numbers = read_numbers(form.text("to"))
    if kind == "to" and not numbers:
        raise InvalidInput("enter at least one number", field="to")
    if kind != "to" and not form.text(kind):
        raise InvalidInput(f"enter the name of the {kind}", field=kind)
    schedule_at = read_moment(form, "schedule_at", visit.site.runtime.settings.zone)
    by_provider = form.text("schedule_by") == "provider" and schedule_at is not None
    return OutboundRequest(
        source=source,
        body=form.text("body"),
        to=numbers if kind == "to" else None,
        list_name=form.text("list") if kind == "list" else None,
        group_name=form.text("group") if kind == "group" else None,
        schedule_at=schedule_at,
        schedule_by="provider" if by_provider else None,
    )


def _rename(error: InvalidInput) -> InvalidInput:
    """The provider's word for a group is the field's."""
    renamed = {"list_name": "list", "group_name": "group"}
    error.field = renamed.get(error.field or "", error.field)
    return error
