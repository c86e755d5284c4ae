"""The pages of batches: all of them, the check of one before it goes, and what became of it."""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass

from starlette.responses import Response
from starlette.routing import Route

from app.domain.csv_safety import Cell
from app.domain.errors import Conflict, InvalidInput, NoProvider
from app.domain.outbound.batch_rows import Columns, fill_row
from app.domain.outbound.states import WAITING, OutboundStatus
from app.domain.places import read_id_place, read_time_place
from app.flows.operations.export import read_outbound_pages
from app.flows.outbound.batches.send_batch import CountedBatch, cancel_batch, read_batch, send_batch
from app.flows.outbound.batches.stage_batch import discard, get_columns
from app.flows.outbound.compose import warn_of_sender
from app.storage.db.database import Connection
from app.storage.outbound.batch_rows import BatchRow, Shown, list_rows
from app.storage.outbound.batches import Batch, count_texts, list_batches, sort_counts
from app.storage.outbound.lists import OutboundFilter
from app.storage.outbound.texts import OutboundText, get_outbounds
from app.web.core.forms.form import WHOLE, Form
from app.web.core.lists import ListPage, answer_csv, make_page
from app.web.core.rendering.renderer import write_iso
from app.web.core.rendering.wording import STATUSES, Label
from app.web.core.site import Site, Visit

PATH = "/batches"
# Each of them counts its texts.
PAGE_BATCHES = 20
PAGE_ROWS = 50
EXPORT_ROWS = 100
RESULTS = ("row", "text", "parts", "state", "reason", "sent_at", "settled_at")


@dataclass(frozen=True, slots=True)
class BatchView:
    """A batch with the counts of its texts by status."""

    batch: Batch
    counts: dict[str, int]

    @property
    def waiting(self) -> int:
        """Texts that can still be cancelled here."""
        return sum(self.counts.get(status, 0) for status in WAITING)

    @property
    def gone(self) -> int:
        """Texts that have left, or will not."""
        sending = self.counts.get(OutboundStatus.SENDING, 0)
        return sum(self.counts.values()) - self.waiting - sending

    def count_kept(self) -> int:
        """Texts that the provider holds for later."""
        by_provider = self.batch.schedule_by == "provider"
        return self.counts.get(OutboundStatus.SENT, 0) if by_provider else 0

    def list_counts(self) -> list[tuple[Label, int]]:
        return [(label, count) for _, label, count in self.list_statuses()]

    def list_statuses(self) -> Iterator[tuple[str, Label, int]]:
        for status, count in self.counts.items():
            yield status, STATUSES[OutboundStatus(status)], count


def make_batch_routes(site: Site) -> list[Route]:
    one = f"{PATH}/{{id:int}}"
    return [
        site.get(PATH, list_all),
        site.get(one, show_one),
        site.get(f"{one}/csv", export_rows),
        site.post(f"{one}/send", send),
        site.post(f"{one}/cancel", cancel),
        site.post(f"{one}/discard", discard_draft),
    ]


async def list_all(visit: Visit) -> Response:
    """Batches that were sent, and one's own drafts, newest first."""
    before = read_time_place(visit.query.text("before"))

    def read(conn: Connection) -> ListPage[BatchView]:
        found = list_batches(conn, before=before, limit=PAGE_BATCHES, drafts_of=str(visit.actor))
        counts = count_texts(conn, found.batches)
        views = [BatchView(each, sort_counts(counts[each.id])) for each in found.batches]
        return make_page(visit, views, found.next)

    page = await visit.database.read(read)
    return visit.render("outbound/batches/batches.html", page=page)


async def show_one(visit: Visit) -> Response:
    """The rows of a draft for checking, or what became of a batch."""
    view = await _find(visit)
    if view.batch.state in ("loading", "draft"):
        return await _show_draft(visit, view, Form())
    rows = await visit.database.read(list_rows, view.batch.id, after=0, limit=1)
    later = view.batch.schedule_at
    return visit.render(
        "outbound/batches/batch.html",
        view=view,
        has_rows=bool(rows),
        kept=view.count_kept() if later is not None and later > visit.now else 0,
    )


async def send(visit: Visit) -> Response:
    """Approve a draft; pressed again, it shows the batch."""
    form = await visit.read_form()
    runtime = visit.site.runtime
    try:
        runtime.get_provider()
        await send_batch(
            visit.database,
            visit.path_id,
            leave_out=form.has("leave_out"),
            force=form.has("force"),
            who=visit.actor,
            now=visit.now,
        )
    except (InvalidInput, NoProvider) as error:
        field = getattr(error, "field", None)
        form.fail("leave_out" if field == "leave_out" else WHOLE, str(error))
        return await _show_draft(visit, await _find(visit), form)
    runtime.announce_batch()
    return visit.redirect(f"{PATH}/{visit.path_id}", "Queued: the texts go out one after another.")


async def cancel(visit: Visit) -> Response:
    """Cancel all texts of a batch that wait."""
    path = f"{PATH}/{visit.path_id}"
    try:
        count = await cancel_batch(visit.database, visit.path_id, who=visit.actor, now=visit.now)
    except Conflict as error:
        return visit.redirect(path, f"Not cancelled: {error}.", kind="failed")
    visit.site.runtime.announce_batch()
    texts = "1 text is" if count == 1 else f"{count:,} texts are"
    return visit.redirect(path, f"Cancelled: {texts} not sent.")


async def discard_draft(visit: Visit) -> Response:
    """Throw away a batch that was not sent."""
    view = await _find(visit)
    if view.batch.state not in ("loading", "draft"):
        return visit.redirect(f"{PATH}/{visit.path_id}", "It has been sent.", kind="failed")
    await discard(visit.database, visit.path_id)
    return visit.redirect(PATH, "The batch is discarded; nothing was sent.")


async def export_rows(visit: Visit) -> Response:
    """The rows as they came with what is wrong with each, or what became of it."""
    view = await _find(visit)
    batch = view.batch
    if batch.columns is None:
        pages = read_outbound_pages(visit.database, OutboundFilter(batch_id=batch.id))
        named = ("number", *RESULTS[1:])
        return await answer_csv(visit, f"batch-{batch.id}", named, pages, _write_text)
    columns = get_columns(batch)
    rows = _read_rows(visit, batch, _read_shown(visit.query))

    def write(each: tuple[BatchRow, OutboundText | None]) -> Sequence[Cell]:
        return _write_row(batch, columns, *each)

    headings = (*columns.headings, *RESULTS)
    return await answer_csv(visit, f"batch-{batch.id}", headings, rows, write)


async def _read_rows(
    visit: Visit, batch: Batch, shown: Shown
) -> AsyncIterator[Sequence[tuple[BatchRow, OutboundText | None]]]:
    def read(conn: Connection, after: int) -> list[tuple[BatchRow, OutboundText | None]]:
        rows = list_rows(conn, batch.id, after=after, limit=EXPORT_ROWS, shown=shown)
        texts = get_outbounds(conn, [row.outbound_id for row in rows if row.outbound_id])
        return [(row, texts.get(row.outbound_id or 0)) for row in rows]

    place = 0
    while page := await visit.database.read(read, place):
        yield page
        place = page[-1][0].place


def _write_row(
    batch: Batch, columns: Columns, row: BatchRow, text: OutboundText | None
) -> Sequence[Cell]:
    cells = [*row.cells, *[""] * (len(columns.headings) - len(row.cells))]
    shown = cells[: len(columns.headings)]
    if text is not None:
        return (*shown, row.line, *_write_text(text)[1:])
    if row.fault is not None:
        return (*shown, row.line, "", "", "cannot be sent", row.fault_text, "", "")
    body = fill_row(batch.body or "", columns, row.cells)
    state = "opted out" if row.is_opted_out and not batch.forced else "good"
    if batch.state in ("cancelling", "cancelled") and state == "good":
        state = "cancelled"
    return (*shown, row.line, body, row.parts, state, "", "", "")


def _write_text(text: OutboundText) -> Sequence[Cell]:
    reason = text.error.text if text.error else text.provider_status
    return (
        text.to,
        text.body,
        text.parts,
        text.status,
        reason,
        write_iso(text.sent_at) if text.sent_at else "",
        write_iso(text.settled_at) if text.settled_at else "",
    )


async def _show_draft(visit: Visit, view: BatchView, form: Form) -> Response:
    batch, columns = view.batch, get_columns(view.batch)
    shown = _read_shown(visit.query)
    after = read_id_place(visit.query.text("after")) or 0

    def read(conn: Connection) -> tuple[list[BatchRow], list[str]]:
        rows = list_rows(conn, batch.id, after=after, limit=PAGE_ROWS + 1, shown=shown)
        return rows, warn_of_sender(conn, batch.credits)

    rows, warnings = await visit.database.read(read)
    if visit.site.runtime.provider is None:
        warnings.append("No provider account is set up, so nothing can be sent")
    good = batch.total - batch.bad - batch.opted_out
    tabs = [
        ("all", "All", batch.total),
        ("good", "Good", good),
        ("bad", "Cannot be sent", batch.bad),
        ("opted-out", "Opted out", batch.opted_out),
    ]
    return visit.render(
        "outbound/batches/batch_draft.html",
        status=422 if form.errors else 200,
        view=view,
        form=form,
        rows=rows[:PAGE_ROWS],
        more=len(rows) > PAGE_ROWS,
        tabs=tabs,
        shown=shown,
        warnings=warnings,
        write_text=lambda row: "" if row.fault else fill_row(batch.body or "", columns, row.cells),
        write_cell=lambda row: row.cells[columns.number] if columns.number < len(row.cells) else "",
    )


def _read_shown(query: Form) -> Shown:
    given = query.text("shown")
    known: tuple[Shown, ...] = ("all", "bad", "good", "opted-out", "left-out")
    return next((each for each in known if each == given), "all")


async def _find(visit: Visit) -> BatchView:
    """Raises NotFound."""
    found: CountedBatch = await visit.database.read(read_batch, visit.path_id)
    return BatchView(found.batch, found.counts)
