"""A new batch: a file or pasted rows, a text with placeholders, checked row by row afterwards."""

import hashlib
import json
from collections.abc import AsyncIterator
from datetime import datetime

from starlette.datastructures import UploadFile
from starlette.responses import Response
from starlette.routing import Route

from app.domain.errors import Conflict, InvalidInput
from app.domain.outbound.batch_rows import MOST_ROWS
from app.domain.outbound.requests import OutboundRequest
from app.flows.outbound.batches.read_recipients import check_count, read_recipients
from app.flows.outbound.batches.stage_batch import RowSource, read_staged, stage_batch
from app.storage.outbound.batches import Batch, get_batch
from app.web.core.forms.form import WHOLE, Form
from app.web.core.forms.one_time_forms import find_nonce, make_form_key, wait_for_first
from app.web.core.site import Site, Visit
from app.web.outbound.writing import (
    OWN,
    measure_template,
    read_schedule,
    read_sender,
    read_senders,
)

PATH = "/batches/new"
# 100,000 rows, so that too many of them are told in words.
MAX_FILE_BYTES = 16 * 1024 * 1024
CHUNK_BYTES = 64 * 1024
FIELDS = ("file", "csv", "source", "own_source", "body", "schedule_at", "schedule_by")


def make_batch_form_routes(site: Site) -> list[Route]:
    return [site.get(PATH, show_form), site.post(PATH, take_form)]


async def show_form(visit: Visit) -> Response:
    """An empty form, or the text of an earlier batch over its rows."""
    earlier = await _find_earlier(visit, visit.query)
    return await _show(visit, Form() if earlier is None else _fill(earlier), earlier)


async def take_form(visit: Visit) -> Response:
    """Store the rows for checking, unless this form has done so."""
    form = await visit.read_form(max_bytes=MAX_FILE_BYTES)
    chosen = form.file("file")
    try:
        return await _take(visit, form, chosen)
    finally:
        if chosen is not None:
            await chosen.close()


async def _take(visit: Visit, form: Form, chosen: UploadFile | None) -> Response:
    earlier = await _find_earlier(visit, form)
    try:
        batch_id = await _stage(visit, form, chosen, earlier)
    except InvalidInput as error:
        form.note(error, FIELDS)
        _ask_for_file(form, chosen)
        return await _show(visit, form, earlier, status=422)
    except Conflict as error:
        form.fail(WHOLE, str(error))
        _ask_for_file(form, chosen)
        return await _show(visit, form, earlier, status=409)
    return visit.redirect(f"/batches/{batch_id}")


def _ask_for_file(form: Form, chosen: UploadFile | None) -> None:
    """No page may fill in a field for files: without this, the file would be gone unnoticed."""
    if chosen is not None:
        form.fail("file", f"choose “{chosen.filename}” again")


async def _stage(visit: Visit, form: Form, chosen: UploadFile | None, earlier: Batch | None) -> int:
    """Raises InvalidInput, which names the field, and Conflict."""
    wanted = _read_wanted(visit, form)
    pasted = form.text("csv")
    if chosen is None and not pasted and earlier is None:
        raise InvalidInput("choose a file, or paste rows", field="file")
    asked = [wanted.source, wanted.body, str(wanted.schedule_at), earlier and earlier.id, pasted]
    digest = await _digest(json.dumps(asked).encode(), chosen)
    idempotency_key = make_form_key(visit, form, digest)

    async def stage() -> int:
        return await stage_batch(
            visit.database,
            wanted,
            await _open_rows(visit, chosen, pasted, earlier),
            idempotency_key,
            who=visit.actor,
            region=visit.region,
            zone=visit.site.runtime.settings.zone,
            now=visit.now,
        )

    return await wait_for_first(stage, "these rows are being read: look at the batches in a moment")


async def _open_rows(
    visit: Visit, chosen: UploadFile | None, pasted: str, earlier: Batch | None
) -> RowSource:
    """Raises InvalidInput, which names the field of the file or of the rows."""
    if chosen is None and not pasted and earlier is not None:
        return await read_staged(visit.database, earlier.id)
    field = "csv" if chosen is None else "file"

    def open_chunks() -> AsyncIterator[bytes]:
        return _read_text(pasted) if chosen is None else _read_file(chosen)

    try:
        await check_count(open_chunks(), visit.region)
        found = await read_recipients(open_chunks(), visit.region)
    except InvalidInput as error:
        raise InvalidInput(str(error), field=field) from None
    name = "" if chosen is None else (chosen.filename or "").replace("\0", "")[:200]
    return RowSource(found.columns, found.rows, name)


async def _read_file(chosen: UploadFile) -> AsyncIterator[bytes]:
    await chosen.seek(0)
    while chunk := await chosen.read(CHUNK_BYTES):
        yield chunk


async def _read_text(text: str) -> AsyncIterator[bytes]:
    yield text.encode("utf-8", "replace")


async def _digest(asked: bytes, chosen: UploadFile | None) -> bytes:
    digest = hashlib.sha256(asked)
    if chosen is not None:
        async for chunk in _read_file(chosen):
            digest.update(chunk)
    return digest.digest()


def _read_wanted(visit: Visit, form: Form) -> OutboundRequest:
    schedule_at, schedule_by = read_schedule(visit, form)
    return OutboundRequest(
        source=read_sender(form),
        body=form.text("body"),
        schedule_at=schedule_at,
        schedule_by=schedule_by,
    )


async def _find_earlier(visit: Visit, form: Form) -> Batch | None:
    """The batch whose rows are used again. Raises NotFound."""
    number = form.number("from")
    return None if number is None else await visit.database.read(get_batch, number)


def _fill(earlier: Batch) -> Form:
    """The form of an earlier batch; its sender is chosen where it is one of ours."""
    pairs = {
        "from": str(earlier.id),
        "body": earlier.body or "",
        "source": earlier.source or "",
        "schedule_by": earlier.schedule_by or "",
    }
    return Form(pairs.items())


def _find_time(visit: Visit, earlier: Batch | None) -> datetime | None:
    """When the earlier batch goes, if that is still to come."""
    later = earlier.schedule_at if earlier is not None else None
    return later if later is not None and later > visit.now else None


async def _show(visit: Visit, form: Form, earlier: Batch | None, *, status: int = 200) -> Response:
    numbers, obstacle = await read_senders(visit)
    source = form.text("source")
    if source and source != OWN and source not in {each.number for each in numbers}:
        form.replace("source", OWN)
        form.replace("own_source", source)
    return visit.render(
        "outbound/batches/batch_new.html",
        status=status,
        form=form,
        earlier=earlier,
        nonce=find_nonce(form),
        numbers=numbers,
        obstacle=obstacle,
        most_rows=MOST_ROWS,
        measure=measure_template(form.text("body")) if form.text("body") else None,
        at=_find_time(visit, earlier),
    )
