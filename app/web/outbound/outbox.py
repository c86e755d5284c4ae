"""The pages of the outbox: what goes out, and what each text went through."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from starlette.responses import Response
from starlette.routing import Route

from app.domain.csv_safety import make_cell, write_rows
from app.domain.errors import NotFound
from app.domain.ids import LAST_ID, encode_id
from app.domain.numbers import normalise_number
from app.domain.outbound.send_outcomes import SendOutcome
from app.domain.outbound.states import OutboundStatus
from app.domain.times import from_microseconds, to_microseconds
from app.storage.db.database import Connection
from app.storage.outbound import texts as outbound_texts
from app.storage.outbound.lists import OutboundFilter, list_outbound
from app.storage.outbound.texts import OutboundHistory, OutboundText, Recipient
from app.storage.rules.rules import get_rule
from app.web.core.forms import Form
from app.web.core.lists import (
    EXPORT_ROWS,
    PAGE_ROWS,
    cut_page,
    link_filtered,
    link_page,
    read_day,
    read_place,
    stream_csv,
)
from app.web.core.rendering import write_iso
from app.web.core.site import Site, Visit
from app.web.core.wording import STATUSES, explain_status

PATH = "/outbox"
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
    SendOutcome.TAKEN: "the provider has it",
    SendOutcome.REFUSED: "the provider refused it",
    SendOutcome.NOT_TAKEN: "it did not get there",
    SendOutcome.UNKNOWN: "nobody knows whether the provider has it",
}
TELLERS = {
    "send": "when it was sent",
    "check": "asked of the provider",
    "report": "read in the provider's report",
    "background": "asked of the provider",
    "lease": "left behind by a process that ended",
    "opt-out": "because of an opt-out",
}

Place = tuple[datetime, int]


@dataclass(frozen=True, slots=True)
class TextView:
    """One text with everything that was done for it."""

    text: OutboundText
    history: OutboundHistory
    recipients: list[Recipient]
    rule_name: str | None

    @property
    def can_be_cancelled(self) -> bool:
        """Whether asking may help: the provider has the last word on what it keeps for later."""
        is_kept = self.text.status == OutboundStatus.SENT and self.text.schedule_by == "provider"
        return self.text.status in {OutboundStatus.QUEUED, OutboundStatus.HELD} or is_kept


def make_outbox_routes(site: Site) -> list[Route]:
    return [
        site.get(PATH, list_texts),
        site.get(f"{PATH}/csv", export_texts),
        site.get(f"{PATH}/{{id:int}}", show_text),
    ]


async def list_texts(visit: Visit) -> Response:
    """What goes out and went out, newest first."""
    query = visit.query
    wanted = _read_filter(visit, query)
    texts: list[OutboundText] = []
    older = None
    if not query.errors:
        page = await visit.database.read(
            list_outbound,
            wanted,
            before=_read_time_place(query.text("before")),
            limit=PAGE_ROWS,
        )
        texts = page.texts
        older = page.next and link_page(visit, before=_write_time_place(page.next))
    return visit.render(
        "outbound/outbox.html",
        status=422 if query.errors else 200,
        texts=texts,
        older=older,
        newest=link_page(visit, before=None) if query.has("before") else None,
        form=query,
        statuses=[("", "All"), *((each.value, word.text) for each, word in STATUSES.items())],
        explain_status=lambda text: explain_status(text, visit.now),
        csv=link_filtered(visit, f"{PATH}/csv"),
        zone=visit.site.runtime.settings.provider_timezone,
        is_filtered=any(query.text(name) for name in ("status", "to", "source", "since", "until")),
    )


async def export_texts(visit: Visit) -> Response:
    """All that the filters find, as CSV."""
    wanted = _read_filter(visit, visit.query)

    async def make() -> AsyncIterator[bytes]:
        yield write_rows([HEADINGS])
        place: Place | None = None
        while True:
            page = await visit.database.read(list_outbound, wanted, before=place, limit=EXPORT_ROWS)
            if page.texts:
                yield write_rows([_write(each) for each in page.texts])
            if page.next is None:
                return
            place = page.next

    return stream_csv(visit, "outbox", make())


async def show_text(visit: Visit) -> Response:
    """One text: its state, every call for it, its history, and its recipients."""
    view = await visit.database.read(_read_view, visit.path_id, read_place(visit.query))
    recipients, older = cut_page(visit, view.recipients)
    return visit.render(
        "outbound/outbox_text.html",
        view=view,
        recipients=recipients,
        older=older,
        word=explain_status(view.text, visit.now),
        now=visit.now,
        statuses=_name_statuses(),
        send_outcomes=SEND_OUTCOMES,
        tellers=TELLERS,
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
        to=normalise_number(query.text("to"), visit.region) or None,
        source=normalise_number(query.text("source"), visit.region) or None,
        since=read_day(query, "since", zone),
        until=read_day(query, "until", zone, is_end=True),
    )


def _name_statuses() -> Mapping[str, str]:
    return {each.value: word.text for each, word in STATUSES.items()}


def _write(text: OutboundText) -> Sequence[str]:
    error = text.error
    cells = (
        encode_id("out", text.id),
        write_iso(text.created_at),
        text.to,
        text.list,
        text.group,
        text.source,
        text.body,
        str(text.parts),
        text.status,
        text.provider_status,
        str(error.code) if error and error.code is not None else "",
        error.text if error else "",
        str(text.attempts),
        write_iso(text.sent_at) if text.sent_at else "",
        write_iso(text.settled_at) if text.settled_at else "",
    )
    return [make_cell(cell) for cell in cells]


def _write_time_place(place: Place) -> str:
    return f"{to_microseconds(place[0])}-{place[1]}"


def _read_time_place(text: str) -> Place | None:
    """None, which is the newest page, for whatever `_write_time_place` did not make."""
    time, _, number = text.partition("-")
    try:
        return from_microseconds(int(time)), min(int(number), LAST_ID)
    except (ValueError, OverflowError):
        return None
