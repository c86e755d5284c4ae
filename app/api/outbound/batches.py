"""/batches: texts to many, each filled from its row."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import Query, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from app.api.core.calls import BatchId, Call, CallContext
from app.api.core.enums import BatchState
from app.api.core.idempotency import ONCE_PARAMETER, REPLAYED, REPLAYED_HEADER, find_key
from app.api.core.lists import LINK_HEADER, ListQuery, answer_pages
from app.api.core.routing import make_router
from app.api.core.schemas import A_SENDER, OUR_NUMBER, Page, Shown, Text, Time, read_id
from app.api.outbound.requests import OutboundOptions
from app.domain.errors import InvalidInput
from app.domain.outbound.batch_rows import MOST_COLUMNS, MOST_ROWS, Columns, Row, make_rows
from app.domain.outbound.requests import OutboundRequest, digest_batch
from app.domain.places import TimePlace, read_time_place
from app.domain.templates import LONGEST_TEMPLATE
from app.flows.outbound.batches.create_batch import create_batch
from app.flows.outbound.batches.send_batch import CountedBatch, cancel_batch, read_batch
from app.storage.db.database import Connection
from app.storage.operations.idempotency import IdempotencyKey
from app.storage.outbound.batch_rows import BatchRow
from app.storage.outbound.batches import count_texts, list_batches, sort_counts

# 10,000 rows with a few columns.
MAX_BODY_BYTES = 4 * 1024 * 1024

reading = make_router("/batches", "messages:read")
sending = make_router("/batches", "messages:send", max_body_bytes=MAX_BODY_BYTES)

BatchNumber = Annotated[Text, Field(max_length=60, examples=[A_SENDER])]
Cell = Annotated[Text, Field(max_length=LONGEST_TEMPLATE)]
BatchRowSent = Annotated[dict[Text, Cell], Field(min_length=1, max_length=MOST_COLUMNS)]


class BatchCreate(OutboundOptions):
    """Texts to many: to numbers, or to rows whose columns fill the placeholders of the body."""

    to: Annotated[list[BatchNumber], Field(min_length=1, max_length=MOST_ROWS)] | None = Field(
        None,
        description="the numbers, where all get the same text",
        examples=[[A_SENDER]],
    )
    rows: Annotated[list[BatchRowSent], Field(min_length=1, max_length=MOST_ROWS)] | None = Field(
        None,
        description="one for each text: its `number`, and a value for each column",
        examples=[[{"number": A_SENDER, "name": "Ada"}]],
    )
    body: Annotated[
        Text,
        Field(
            min_length=1,
            max_length=LONGEST_TEMPLATE,
            description="with placeholders such as {name|there}; {{ for a brace. At most 459"
            " characters once filled",
            examples=["Hello {name|there}, we are open until five."],
        ),
    ]
    skip_invalid: bool = Field(
        default=False,
        description="leave out rows that cannot be sent and numbers that have opted out, instead of"
        " refusing all",
    )

    def make_request(self) -> OutboundRequest:
        given = self.model_dump(exclude={"to", "rows", "skip_invalid"})
        return OutboundRequest(**given)

    def read_rows(self) -> tuple[str, Columns, list[Row]]:
        """The field that has them, their columns, and the rows. Raises InvalidInput."""
        if (self.to is None) == (self.rows is None):
            raise InvalidInput("name one of to and rows", field="to")
        if self.rows is None:
            # A number that is written twice alike is named twice, which is no mistake.
            numbers = dict.fromkeys(self.to or ())
            return "to", *make_rows({"number": each} for each in numbers)
        return "rows", *make_rows(self.rows)


class SkippedRow(Shown):
    """A row that gets no text."""

    row: int = Field(description="its place in the request, from 0")
    number: str | None = Field(description="its number; null where it has none that can be texted")
    reason: str = Field(description="for people", examples=["no value for {name}"])


class Batch(Shown):
    """A send to many."""

    id: Annotated[str, read_id("bat")] = Field(description="opaque", examples=["bat_4"])
    state: BatchState = Field(description="whether its texts are still being made or cancelled")
    name: str = Field(description='the file that its rows came from; "" where none did')
    source: str | None = Field(description="what it goes out from", examples=[OUR_NUMBER])
    body: str | None = Field(
        description="the text, with its placeholders where it was made of rows"
    )
    schedule_at: Time | None = Field(description="when it is to go out; null: at once")
    schedule_by: str | None = Field(description="letterbox or provider, where it is scheduled")
    reference: str | None = Field(description="your own; each of its texts has it, too")
    rows: int = Field(description="how many rows or numbers it was made of")
    left_out: int = Field(description="rows that got no text")
    parts: int = Field(description="of all its texts together; 0 for one that POST /outbound made")
    estimated_credits: int = Field(
        description="for all of it: one a part in the UK, two elsewhere; 0 as with `parts`"
    )
    counts: dict[str, int] = Field(
        description="its texts by status", examples=[{"queued": 20, "delivered": 80}]
    )
    created_at: Time = Field(description="when it was approved")


class CreatedBatch(Batch):
    """A new batch, and what was left out of it."""

    skipped: Sequence[SkippedRow] = Field(
        description="with `skip_invalid`: the first 100 rows that get no text, and why"
    )


class BatchCancelled(Batch):
    """A batch after its cancellation."""

    cancelled: int = Field(description="how many of its texts this request has cancelled")


@reading.get("", responses=LINK_HEADER)
async def list_all_batches(call: Call, query: Annotated[ListQuery, Query()]) -> Page[Batch]:
    """List the sends to many, newest first; drafts of the pages are not among them."""

    async def read(
        before: TimePlace | None, limit: int
    ) -> tuple[Sequence[CountedBatch], TimePlace | None]:
        return await call.database.read(_read_page, before, limit)

    return await answer_pages(call, query, read, show_batch, read_time_place)


@reading.get("/{id}")
async def get_batch(id: BatchId, call: Call) -> Batch:
    """Get one batch with the counts of what became of its texts."""
    return show_batch(await call.database.read(read_batch, id))


@sending.post(
    "",
    status_code=202,
    response_model=CreatedBatch,
    responses={202: {"headers": REPLAYED_HEADER}},
    openapi_extra=ONCE_PARAMETER,
)
async def send_batch(body: BatchCreate, call: Call) -> Response:
    """Queue a text for each number or row, up to 10,000: all of them or, unless `skip_invalid`,
    nothing.

    422 names the first 100 rows that are off or whose number has opted out.
    """
    call.runtime.get_provider()
    wanted, (field, columns, rows) = body.make_request(), body.read_rows()
    key = find_key(call.request)
    digest = digest_batch(wanted, [row.cells for row in rows], skip_invalid=body.skip_invalid)
    done = await create_batch(
        call.database,
        wanted,
        columns,
        rows,
        None if key is None else IdempotencyKey(call.caller.owner, key, digest),
        _show_created,
        field=field,
        skip_invalid=body.skip_invalid,
        who=call.actor,
        region=call.region,
        zone=call.runtime.settings.zone,
        now=call.now,
    )
    if done.is_replayed:
        return JSONResponse(done.answer, 202, REPLAYED)
    call.runtime.announce_batch()
    return JSONResponse(done.answer, 202)


@sending.post("/{id}/cancel")
async def cancel_whole_batch(id: BatchId, call: Call) -> BatchCancelled:
    """Cancel every text of a batch that still waits here; those that went out stay.

    Cancelling twice changes nothing. Texts that the provider holds are cancelled one by one.
    """
    cancelled = await cancel_batch(call.database, id, who=call.actor, now=call.now)
    call.runtime.announce_batch()
    shown = show_batch(await call.database.read(read_batch, id))
    return BatchCancelled(**_hide(shown, call).model_dump(), cancelled=cancelled)


def show_batch(found: CountedBatch) -> Batch:
    batch = found.batch
    return Batch(
        id=batch.id,  # type: ignore[arg-type]  # the validator makes it a text
        state=batch.state,
        name=batch.name,
        source=batch.source,
        body=batch.body,
        schedule_at=batch.schedule_at,
        schedule_by=batch.schedule_by,
        reference=(batch.options or {}).get("reference"),
        rows=batch.total,
        left_out=batch.left_out,
        parts=batch.parts,
        estimated_credits=batch.credits,
        counts=found.counts,
        created_at=batch.created_at,
    )


def _show_created(found: CountedBatch, skipped: Sequence[BatchRow]) -> Mapping[str, Any]:
    rows = [
        SkippedRow(
            row=each.place - 1,
            number=each.number,
            reason=each.fault_text or "the number has opted out of texts",
        )
        for each in skipped
    ]
    return CreatedBatch(**show_batch(found).model_dump(), skipped=rows).model_dump(mode="json")


def _hide(shown: Batch, call: CallContext) -> Batch:
    """Whoever may not read texts sees none that somebody else wrote."""
    if call.caller.may("messages:read"):
        return shown
    return shown.model_copy(update={"body": ""})


def _read_page(
    conn: Connection, before: TimePlace | None, limit: int
) -> tuple[list[CountedBatch], TimePlace | None]:
    page = list_batches(conn, before=before, limit=limit)
    counts = count_texts(conn, page.batches)
    found = [CountedBatch(each, sort_counts(counts[each.id])) for each in page.batches]
    return found, page.next
