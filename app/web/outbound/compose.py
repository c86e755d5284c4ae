"""A new message to one or many numbers, a list or a group: written, previewed, then queued.

Each form is kept and its next page is a redirect to an address of its own, so that browsers go back
and reload without asking.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from starlette.responses import Response
from starlette.routing import Route

from app.domain.errors import Conflict, InvalidInput, NoProvider
from app.domain.inbound.messages import make_pair_key
from app.domain.outbound.plain_text import write_plainly
from app.domain.outbound.requests import OutboundRequest
from app.flows.operations.keep_form import find_form, keep_form
from app.flows.outbound.compose import Look, look_at_text
from app.storage.conversations.drafts import NEW_MESSAGE
from app.storage.conversations.inbox import find_conversation
from app.web.conversations.drafts import end_draft, read_draft, save_fields
from app.web.core.forms.form import Form
from app.web.core.forms.moments import ZONE
from app.web.core.forms.one_time_forms import find_nonce
from app.web.core.site import Site, Visit
from app.web.outbound.recipients import add_recipient, find_recipients
from app.web.outbound.saved_replies import insert_reply, list_choices
from app.web.outbound.writing import (
    measure,
    normalise_numbers,
    note_faults,
    read_numbers,
    read_schedule,
    read_sender,
    read_senders,
    send_once,
)

PATH = "/new"
CHECK = f"{PATH}/check"
FIELDS = ("to", "list", "group", "source", "own_source", "body", "schedule_at", "schedule_by")
# A time that was chosen yesterday is not kept.
DRAFT_FIELDS = ("to", "list", "group", "body")
# Kept with them.
DRAFT_CHOICES = ("kind", "source", "own_source")
# What the preview is made of.
CARRIED = (*FIELDS, "kind", ZONE, "schedule_at_fold")
# The kinds of recipient; each has a field of its own.
KINDS = ("to", "list", "group")
# The hidden field, and the parameter, that names a form that was kept.
KEPT = "form"


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be sent."""

    wanted: OutboundRequest
    look: Look


def make_compose_routes(site: Site) -> list[Route]:
    return [
        site.get(PATH, show_form),
        site.post(PATH, take_form),
        site.get(CHECK, show_look),
        site.post(f"{PATH}/send", send),
        site.post(f"{PATH}/draft", take_draft),
    ]


async def show_form(visit: Visit) -> Response:
    """This person's draft, a form that a link filled in, or one that was kept.

    Links fill in `to`, `source` and `group`.
    """
    form = await _find_form(visit, visit.query) if visit.query.has(KEPT) else visit.query
    if not any(form.text(name) for name in FIELDS):
        form = Form((await read_draft(visit, NEW_MESSAGE)).items())
    return await _show(visit, form)


async def take_draft(visit: Visit) -> Response:
    """What somebody has written so far, sent by the script every other second."""
    form = await visit.read_form()
    await save_fields(visit, NEW_MESSAGE, form, DRAFT_FIELDS, DRAFT_CHOICES)
    return Response(status_code=204)


async def take_form(visit: Visit) -> Response:
    """Keep the form; its preview follows, or the form again to check its length or to edit it."""
    form = await visit.read_form()
    is_written_on = any(map(form.has, ("preview", "insert", "plain")))
    is_written_on |= add_recipient(form)
    if form.has("insert"):
        await insert_reply(visit, form)
    if form.has("plain"):
        form.replace("body", write_plainly(form.text("body")))
    await save_fields(visit, NEW_MESSAGE, form, DRAFT_FIELDS, DRAFT_CHOICES)
    fields = [(name, form.text(name)) for name in CARRIED if form.text(name)]
    name = await keep_form(visit.database, _name_owner(visit), fields, now=visit.now)
    return visit.redirect(f"{PATH if is_written_on else CHECK}?{KEPT}={name}")


async def show_look(visit: Visit) -> Response:
    """The preview of a form that was kept, or the form with its errors."""
    form = await _find_form(visit, visit.query)
    try:
        preview = await _look(visit, form)
    except InvalidInput as error:
        note_faults(form, _rename(error), FIELDS)
        return await _show(visit, form, status=422)
    wanted, look = preview.wanted, preview.look
    left = [each for each in look.numbers if each not in look.opted_out]
    return visit.render(
        "outbound/new_look.html",
        wanted=wanted,
        look=look,
        kept=visit.query.text(KEPT),
        nonce=find_nonce(form),
        measure=measure(wanted.body, left),
    )


async def send(visit: Visit) -> Response:
    """Queue what was previewed; opted-out numbers are left out unless `force` is ticked."""
    sent = await visit.read_form()
    form = await _find_form(visit, sent)
    back = f"{CHECK}?{KEPT}={sent.text(KEPT)}"
    try:
        preview = await _look(visit, form)
        force, look = sent.has("force"), preview.look
        left = [each for each in look.numbers if force or each not in look.opted_out]
        if look.numbers and not left:
            raise InvalidInput("all of these numbers have opted out: there is nobody to send it to")
        wanted = preview.wanted
        chosen = replace(wanted, to=left, force=force) if look.numbers else wanted
        await send_once(visit, sent, chosen)
    except (InvalidInput, Conflict, NoProvider) as error:
        return visit.redirect(back, f"Not sent: {error}.", kind="failed")
    await end_draft(visit, NEW_MESSAGE)
    return await _go_on(visit, look, left, is_scheduled=wanted.schedule_at is not None)


async def _look(visit: Visit, form: Form) -> Preview:
    """Raises InvalidInput."""
    wanted = _read_wanted(visit, form)
    zone = visit.site.runtime.settings.zone
    look = await look_at_text(visit.database, wanted, region=visit.region, zone=zone, now=visit.now)
    return Preview(wanted, look)


async def _find_form(visit: Visit, named: Form) -> Form:
    """Raises NotFound."""
    owner = _name_owner(visit)
    return Form(await find_form(visit.database, owner, named.text(KEPT), now=visit.now))


def _name_owner(visit: Visit) -> str:
    """A form is found by the session that wrote it."""
    return f"session:{visit.signed_in.id}"


async def _go_on(
    visit: Visit, look: Look, numbers: Sequence[str], *, is_scheduled: bool
) -> Response:
    """To the conversation for one number, else to the outbox."""
    count = "1 text" if len(numbers) <= 1 else f"{len(numbers)} texts"
    done = f"{count} {'scheduled' if is_scheduled else 'queued'}."
    if len(numbers) == 1:
        pair_key = make_pair_key(look.source, numbers[0])
        found = await visit.database.read(find_conversation, pair_key)
        if found is not None:
            return visit.redirect(f"/conversations/{found}#latest", done)
    return visit.redirect("/scheduled" if is_scheduled else "/outbox", done)


async def _show(visit: Visit, form: Form, *, status: int = 200) -> Response:
    numbers, obstacle = await read_senders(visit)
    body, q = form.text("body"), visit.query.text("q")
    return visit.render(
        "outbound/new.html",
        status=status,
        form=form,
        kind=_read_kind(form),
        numbers=numbers,
        obstacle=obstacle,
        kept=visit.query.text(KEPT),
        query=visit.query,
        found=await find_recipients(visit, q) if q else None,
        saved_replies=await visit.database.read(list_choices),
        measure=measure(body, normalise_numbers(visit, form.text("to"))) if body else None,
    )


def _read_kind(form: Form) -> str:
    kind = form.text("kind")
    if kind in KINDS:
        return kind
    return next((each for each in KINDS if form.text(each)), KINDS[0])


def _read_wanted(visit: Visit, form: Form) -> OutboundRequest:
    """Raises InvalidInput."""
    kind = _read_kind(form)
    source = read_sender(form)
    numbers = read_numbers(form.text("to"))
    if kind == "to" and not numbers:
        raise InvalidInput("enter at least one number", field="to")
    if kind != "to" and not form.text(kind):
        raise InvalidInput(f"enter the name of the {kind}", field=kind)
    schedule_at, schedule_by = read_schedule(visit, form)
    return OutboundRequest(
        source=source,
        body=form.text("body"),
        to=numbers if kind == "to" else None,
        list_name=form.text("list") if kind == "list" else None,
        group_name=form.text("group") if kind == "group" else None,
        schedule_at=schedule_at,
        schedule_by=schedule_by,
    )


def _rename(error: InvalidInput) -> InvalidInput:
    """The provider's word for a group is the field's."""
    renamed = {"list_name": "list", "group_name": "group"}
    error.field = renamed.get(error.field or "", error.field)
    return error
