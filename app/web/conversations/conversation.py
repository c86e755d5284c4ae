"""A conversation: the thread of both directions, who it is with, and the reply form."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response
from starlette.routing import Route

from app.domain.errors import Conflict, InvalidInput, NoProvider, NotFound
from app.domain.inbound.messages import MERGE_FIELDS
from app.domain.numbers import is_full_number
from app.domain.outbound.requests import OutboundRequest
from app.domain.places import read_pair_place, write_place
from app.domain.rules.rules import Rule
from app.flows.conversations.mark_read import mark_seen
from app.flows.rules.opt_out import opt_in, opt_out
from app.storage.access.numbers import Number, get_number
from app.storage.conversations.conversations import Conversation, get_conversation, list_thread
from app.storage.conversations.threads import find_place, list_authors
from app.storage.db.database import Connection
from app.storage.inbound.search import Message
from app.storage.outbound.texts import OutboundText
from app.storage.rules.opt_outs import OptOut, get_opt_out
from app.storage.rules.rules import read_rules
from app.web.core.forms import WHOLE, Form
from app.web.core.moments import read_moment
from app.web.core.one_time_forms import find_nonce
from app.web.core.site import PART, Site, Visit
from app.web.core.wording import FIELD_LABELS, explain_outcome, explain_problem, explain_status
from app.web.outbound.writing import measure, note_faults, send_once
from app.web.rules.rule_forms import list_conditions

PAGE = 50
REPLY_FIELDS = ("body", "schedule_at", "force")


@dataclass(frozen=True, slots=True)
class Opened:
    """What the page of a conversation shows, the thread oldest first.

    `fields` are the sender's merge fields, by the number's own names for them.
    """

    conversation: Conversation
    entries: Sequence[Message | OutboundText]
    older: str | None
    fields: Mapping[str, str]
    label: str
    opt_out: OptOut | None
    rules: Mapping[int, Rule]
    authors: Mapping[int, str]
    is_newest: bool

    @property
    def can_be_answered(self) -> bool:
        return is_full_number(self.conversation.source) and bool(self.conversation.dest)


def make_conversation_routes(site: Site) -> list[Route]:
    path = "/conversations/{id:int}"
    return [
        site.get(path, show_conversation),
        site.post(f"{path}/reply", reply),
        site.post(f"{path}/opt-out", switch_opt_out),
    ]


async def show_conversation(visit: Visit) -> Response:
    """The thread, newest last; what is shown is marked as read."""
    query = visit.query
    before = read_pair_place(query.text("before"))
    opened = await visit.database.read(_open, visit.path_id, before, query.number("at"))
    newest = max((each.id for each in opened.entries if isinstance(each, Message)), default=0)
    if _is_seen(visit) and opened.conversation.unread and newest:
        await mark_seen(visit.database, opened.conversation.id, up_to=newest, now=visit.now)
    return _show(visit, opened, Form())


async def reply(visit: Visit) -> Response:
    """Queue a reply, or show its length (`preview`)."""
    form = await visit.read_form()
    found = await visit.database.read(get_conversation, visit.path_id)
    status = 200
    if not form.has("preview"):
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
            done = "Scheduled." if wanted.schedule_at else "Queued: it will be sent in a moment."
            return visit.redirect(f"/conversations/{found.id}#latest", done)
    return _show(visit, await visit.database.read(_open, found.id), form, status=status)


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


def _open(
    conn: Connection,
    conversation_id: int,
    before: tuple[int, int] | None = None,
    at: int | None = None,
) -> Opened:
    """The page below that place; without one the newest, or that which holds the message `at`."""
    conversation = get_conversation(conn, conversation_id)
    thread = list_thread(conn, conversation, before=before, limit=PAGE)
    shown = {entry.id for entry in thread.items if isinstance(entry, Message)}
    if at is not None and at not in shown and before is None:
        before = find_place(conn, conversation, at)
        thread = list_thread(conn, conversation, before=before, limit=PAGE)
    sent = [entry for entry in thread.items if isinstance(entry, OutboundText)]
    ours = _find_our_number(conn, conversation.dest)
    return Opened(
        conversation,
        thread.items[::-1],
        None if thread.next is None else write_place(thread.next),
        _name_fields(conversation, ours.merge_field_names if ours else {}),
        ours.label if ours else "",
        get_opt_out(conn, conversation.source) if conversation.opted_out else None,
        {rule.id: rule for rule in read_rules(conn)},
        list_authors(conn, [each.id for each in sent if each.origin == "person"]),
        before is None,
    )


def _find_our_number(conn: Connection, number: str) -> Number | None:
    try:
        return get_number(conn, number)
    except NotFound:
        return None


def _show(visit: Visit, opened: Opened, form: Form, *, status: int = 200) -> Response:
    body = form.text("body")
    source = opened.conversation.source
    return visit.render(
        "conversations/conversation.html",
        status=status,
        opened=opened,
        conversation=opened.conversation,
        form=form,
        nonce=find_nonce(form),
        measure=measure(body, [source]) if body else None,
        is_message=lambda entry: isinstance(entry, Message),
        explain_status=lambda text: explain_status(text, visit.now),
        explain_problem=explain_problem,
        explain_outcome=lambda message: _explain_outcome(message, opened.rules),
    )


def _explain_outcome(message: Message, rules: Mapping[int, Rule]) -> str:
    """Which rule answered and by which of its conditions, or why none did."""
    rule = rules.get(message.rule_id or 0)
    return explain_outcome(
        message.outcome_code,
        rule.name if rule else None,
        list_conditions(rule, {}) if rule else (),
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


def _name_fields(conversation: Conversation, names: Mapping[str, str]) -> dict[str, str]:
    """The merge fields that came with the last text, in their order."""
    last = conversation.last_message
    if last is None:
        return {}
    return {
        names.get(field) or FIELD_LABELS[field]: last.merge_fields[field]
        for field in MERGE_FIELDS
        if last.merge_fields.get(field)
    }


def _is_seen(visit: Visit) -> bool:
    """Whether a person sees the page: not for HEAD, a prefetch or a hidden tab."""
    headers = visit.request.headers
    return (
        visit.request.method == "GET"
        and "prefetch" not in headers.get("sec-purpose", "")
        and headers.get(PART) != "unseen"
    )
