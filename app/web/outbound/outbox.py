"""The pages of the outbox: every text that goes out, and the history of each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from starlette.responses import Response
from starlette.routing import Route

from app.domain.csv_safety import Cell
from app.domain.errors import NotFound
from app.domain.ids import encode_id
from app.domain.inbound.queries import fold_words
from app.domain.numbers import find_digits, normalise_number
from app.domain.outbound.send_outcomes import SendOutcome
from app.domain.outbound.states import WAITING, OutboundStatus
from app.domain.places import read_id_place, read_time_place
from app.flows.operations.export import read_outbound_pages
from app.storage.conversations.attention import needs_attention_alone
from app.storage.conversations.conversations import Conversation
from app.storage.conversations.inbox import find_people
from app.storage.db.database import Connection
from app.storage.outbound import texts as outbound_texts
from app.storage.outbound.lists import OutboundFilter, list_outbound
from app.storage.outbound.texts import OutboundHistory, OutboundText, Recipient
from app.storage.rules.rules import get_rule
from app.web.core.forms.form import Form
from app.web.core.lists import (
    PAGE_ROWS,
    answer_csv,
    cut_page,
    link_page,
    make_page,
    read_day,
)
from app.web.core.rendering.renderer import write_iso
from app.web.core.rendering.wording import STATUSES, explain_status
from app.web.core.site import Site, Visit
from app.web.outbound.outbox_rows import read_beside
from app.web.outbound.scheduled import is_ours

PATH = "/outbox"
FILTERS = ("q", "status", "to", "source", "since", "until", "batch")
MAX_QUERY = 200
# How many people a search lists above the texts.
PEOPLE = 20
# With one of these each text of a batch is a row of its own.
SINGLE_FILTERS = ("status", "to", "batch", "q")
HEADINGS = (
    "id",
    "created_at",
    "to",
    "list",
    "group",
    "source",
    "body",
    "parts",
    "status",
    "provider_status",
    "error_code",
    "error_text",
    "attempts",
    "sent_at",
    "settled_at",
)
# How a call for a text ended, in words.
SEND_OUTCOMES = {
    SendOutcome.TAKEN: "accepted by the provider",
    SendOutcome.REFUSED: "refused by the provider",
    SendOutcome.NOT_TAKEN: "did not reach the provider",
    SendOutcome.UNKNOWN: "unknown whether it was accepted",
}
# What a change of status was learned from.
SOURCES = {
    "send": "send call",
    "check": "status check",
    "report": "the provider's report",
    "background": "status check",
    "lease": "a process ended during the send call",
    "opt-out": "opt-out",
}


@dataclass(frozen=True, slots=True)
class TextView:
    """One text with everything that was done for it."""

    text: OutboundText
    history: OutboundHistory
    recipients: list[Recipient]
    rule_name: str | None
    needs_attention: bool

    @property
    def can_be_cancelled(self) -> bool:
        """Whether asking may help: the provider has the last word on what it keeps for later."""
        is_kept = self.text.status == OutboundStatus.SENT and self.text.schedule_by == "provider"
        return self.text.status in WAITING or is_kept

    @property
    def can_be_changed(self) -> bool:
        return is_ours(self.text)


def make_outbox_routes(site: Site) -> list[Route]:
    return [
        site.get(PATH, list_texts),
        site.get(f"{PATH}/csv", export_texts),
        site.get(f"{PATH}/{{id:int}}", show_text),
    ]


async def list_texts(visit: Visit) -> Response:
    """Texts to be sent and sent, newest first."""
    query = visit.query
    wanted = _read_filter(visit, query)
    digits = find_digits(query.text("q"), visit.region)
    people = await _find_people(visit, query, digits)
    is_grouped = not any(query.text(name) for name in SINGLE_FILTERS)
    wanted = replace(wanted, batches_as_one=is_grouped)
    page = make_page(visit, list[OutboundText](), None)
    if not query.errors:
        before = read_time_place(query.text("before"))
        found = await visit.database.read(list_outbound, wanted, before=before, limit=PAGE_ROWS)
        page = make_page(visit, found.texts, found.next)
    beside = await visit.database.read(read_beside, page.rows)
    return visit.render(
        "outbound/outbox.html",
        status=422 if query.errors else 200,
        page=page,
        beside=beside,
        is_grouped=is_grouped,
        batch=beside.batches.get(wanted.batch_id or 0),
        form=query,
        statuses=[("", "All"), *((each.value, word.text) for each, word in STATUSES.items())],
        explain_status=lambda text: explain_status(text, visit.now),
        csv=link_page(visit, f"{PATH}/csv"),
        is_filtered=any(query.text(name) for name in FILTERS),
        people=people,
        words=wanted.words,
        digits=digits,
    )


async def _find_people(visit: Visit, query: Form, digits: str) -> Sequence[Conversation]:
    """Whom the search means by a name or a number, each once; none on a later page."""
    q = query.text("q")
    if not q or query.has("before"):
        return ()
    found = await visit.database.read(find_people, q, digits=digits, dest=None, limit=PEOPLE)
    return list({each.source: each for each in found}.values())


async def export_texts(visit: Visit) -> Response:
    """All that the filters find, as CSV."""
    pages = read_outbound_pages(visit.database, _read_filter(visit, visit.query))
    return await answer_csv(visit, "outbox", HEADINGS, pages, _write)


async def show_text(visit: Visit) -> Response:
    """One text: its state, every call for it, its history, and its recipients."""
    before = read_id_place(visit.query.text("before"))
    view = await visit.database.read(_read_view, visit.path_id, before)
    return visit.render(
        "outbound/outbox_text.html",
        view=view,
        page=cut_page(visit, view.recipients),
        word=explain_status(view.text, visit.now),
        now=visit.now,
        statuses={each.value: word.text for each, word in STATUSES.items()},
        send_outcomes=SEND_OUTCOMES,
        sources=SOURCES,
    )


def _read_view(conn: Connection, outbound_id: int, before: int | None) -> TextView:
    text = outbound_texts.get_outbound(conn, outbound_id)
    recipients = outbound_texts.list_recipients(
        conn, outbound_id, before=before, limit=PAGE_ROWS + 1
    )
    return TextView(
        text,
        outbound_texts.read_history(conn, outbound_id),
        recipients,
        _find_rule_name(conn, text.rule_id),
        needs_attention_alone(conn, outbound_id),
    )


def _find_rule_name(conn: Connection, rule_id: int | None) -> str | None:
    """None where no rule wrote it, or the rule is gone."""
    if rule_id is None:
        return None
    try:
        return get_rule(conn, rule_id).name
    except NotFound:
        return None


def _read_filter(visit: Visit, query: Form) -> OutboundFilter:
    zone = visit.site.runtime.settings.zone
    status = query.text("status")
    return OutboundFilter(
        statuses=(status,) if status in set(OutboundStatus) else (),
        words=fold_words(query.text("q")[:MAX_QUERY]),
        batch_id=query.number("batch"),
        to=normalise_number(query.text("to"), visit.region) or None,
        source=normalise_number(query.text("source"), visit.region) or None,
        since=read_day(query, "since", zone),
        until=read_day(query, "until", zone, is_end=True),
    )


def _write(text: OutboundText) -> Sequence[Cell]:
    error = text.error
    return (
        encode_id("out", text.id),
        write_iso(text.created_at),
        text.to,
        text.list,
        text.group,
        text.source,
        text.body,
        text.parts,
        text.status,
        text.provider_status,
        error.code if error else "",
        error.text if error else "",
        text.attempts,
        write_iso(text.sent_at) if text.sent_at else "",
        write_iso(text.settled_at) if text.settled_at else "",
    )
