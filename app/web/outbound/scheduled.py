"""What is to be sent later, and changing a text before it goes."""

from dataclasses import dataclass, replace
from datetime import datetime

from starlette.responses import Response
from starlette.routing import Route

from app.domain.errors import Conflict, InvalidInput
from app.domain.outbound.states import WAITING, OutboundStatus
from app.domain.places import read_time_place
from app.flows.outbound.change_text import TextChanges, change_text
from app.storage.conversations.people import name_numbers
from app.storage.conversations.threads import list_authors
from app.storage.db.database import Connection
from app.storage.outbound.batches import count_texts, list_scheduled_batches, sort_counts
from app.storage.outbound.changes import list_scheduled
from app.storage.outbound.lists import OutboundPage
from app.storage.outbound.texts import OutboundText, get_outbound
from app.web.core.forms.form import Form
from app.web.core.forms.moments import read_moment, read_zone, write_moment
from app.web.core.lists import PAGE_ROWS, ListPage, make_page
from app.web.core.site import Site, Visit
from app.web.outbound.batches import BatchView
from app.web.outbound.writing import measure

PATH = "/scheduled"
SHOWN_BATCHES = 50


@dataclass(frozen=True, slots=True)
class Scheduled:
    """`batches` are all that still wait, `page` the single texts; `authors` by their ids, `names`
    by number.
    """

    batches: list[BatchView]
    page: OutboundPage
    authors: dict[int, str]
    names: dict[str, str]


def make_scheduled_routes(site: Site) -> list[Route]:
    return [
        site.get(PATH, show_scheduled),
        site.get("/outbox/{id:int}/edit", show_text),
        site.post("/outbox/{id:int}/edit", change),
    ]


async def show_scheduled(visit: Visit) -> Response:
    """Texts and batches that go out later, soonest first."""
    after = read_time_place(visit.query.text("before"))
    found = await visit.database.read(_read, visit.now, after)
    page: ListPage[OutboundText] = make_page(visit, found.page.texts, found.page.next)
    return visit.render(
        "outbound/scheduled.html",
        page=replace(page, newest=page.newest and f"{visit.site.root}{PATH}"),
        batches=found.batches,
        authors=found.authors,
        names=found.names,
        is_ours=is_ours,
    )


def is_ours(text: OutboundText) -> bool:
    """Whether it waits here, so that it can be changed."""
    return text.status in WAITING and text.origin == "person"


async def show_text(visit: Visit) -> Response:
    """The form of a text that waits; of another one, its page says where it is."""
    text = await visit.database.read(get_outbound, visit.path_id)
    if not is_ours(text):
        return visit.redirect(f"/outbox/{text.id}", _explain(text, visit.now), kind="failed")
    return _show(visit, text, Form([("body", text.body)]))


async def change(visit: Visit) -> Response:
    """Change it, or show the form again with its errors."""
    form = await visit.read_form()
    text = await visit.database.read(get_outbound, visit.path_id)
    if form.has("preview"):
        return _show(visit, text, form)
    try:
        await change_text(
            visit.database,
            text.id,
            _read_changes(visit, form, text),
            who=visit.actor,
            zone=visit.site.runtime.settings.zone,
            now=visit.now,
        )
    except InvalidInput as error:
        form.note(error, ("body", "schedule_at"))
        return _show(visit, text, form, status=422)
    except Conflict as error:
        return visit.redirect(f"/outbox/{text.id}", f"Not changed: {error}.", kind="failed")
    visit.site.runtime.announce_texts()
    return visit.redirect(f"/outbox/{text.id}", "Saved.")


def _read_changes(visit: Visit, form: Form, text: OutboundText) -> TextChanges:
    """Raises InvalidInput."""
    usual, before = visit.site.runtime.settings.zone, text.schedule_at
    # The field has no seconds: what was not touched stays.
    shown = write_moment(before, read_zone(form, usual)) if before else ""
    if shown and form.text("schedule_at") == shown and not form.text("schedule_at_fold"):
        return TextChanges(body=form.text("body"))
    at = read_moment(form, "schedule_at", usual)
    return TextChanges(body=form.text("body"), schedule_at=at)


def _explain(text: OutboundText, now: datetime) -> str:
    is_kept = text.schedule_by == "provider" and text.status == OutboundStatus.SENT
    if is_kept and text.schedule_at is not None and text.schedule_at > now:
        return "The provider holds this text: it can be cancelled, but not changed."
    if text.origin != "person":
        return "An automatic reply cannot be changed."
    return "This text is no longer waiting, so it cannot be changed."


def _show(visit: Visit, text: OutboundText, form: Form, *, status: int = 200) -> Response:
    body = form.text("body")
    return visit.render(
        "outbound/text_edit.html",
        status=status,
        text=text,
        form=form,
        measure=measure(body, [text.to] if text.to else []) if body else None,
    )


def _read(conn: Connection, now: datetime, after: tuple[datetime, int] | None) -> Scheduled:
    batches = list_scheduled_batches(conn, now, limit=SHOWN_BATCHES) if after is None else []
    counts = count_texts(conn, batches)
    views = [BatchView(each, sort_counts(counts[each.id])) for each in batches]
    page = list_scheduled(conn, now, after=after, limit=PAGE_ROWS)
    authors = list_authors(conn, [text.id for text in page.texts])
    names = name_numbers(conn, [text.to for text in page.texts if text.to])
    shown = [each for each in views if each.waiting or each.count_kept()]
    return Scheduled(shown, page, authors, names)
