"""/erasures: forget a number for good, and what a scan found afterwards."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import BeforeValidator, Field

from app.api.core.calls import Call, path_id
from app.api.core.lists import CREATED, LINK_HEADER, ListQuery, answer_list
from app.api.core.routing import make_router
from app.api.core.schemas import GivenNumber, Page, Sent, Shown, Time, read_id
from app.domain.numbers import read_number
from app.flows.operations.erasures.erase_number import begin_erasure, wait_for_erasure
from app.storage.operations.erasures import erasures

router = make_router("/erasures", "admin")

# How long a request waits for the end.
PATIENCE_SECONDS = 20.0

ErasureId = Annotated[int, path_id("era")]


class ErasureCreate(Sent):
    """The number to forget."""

    number: GivenNumber


class ErasedPlace(Shown):
    """What was done in one place."""

    place: str = Field(description="a table, or `spool`", examples=["messages"])
    removed: int = Field(description="rows that went")
    changed: int = Field(description="rows that stay without the number")


class ErasureScan(Shown):
    """What the scan afterwards looked at, and what it found: nothing, where `is_clean`."""

    is_clean: bool = Field(description="whether neither database nor spool holds the number")
    tables: int = Field(description="tables that were looked through")
    columns: int = Field(description="their columns of text, JSON or bytes")
    rows: int = Field(description="rows, in which the number was looked for in every written form")
    found: int = Field(description="rows that hold it: 0, or the erasure goes on")
    index_entries: int = Field(description="entries of search indexes that belong to no text")
    file_bytes: int = Field(
        description="bytes of SQLite's file and journal that were read; 0 on PostgreSQL"
    )
    file_traces: int = Field(description="places in them that hold the number, free pages included")
    was_compacted: bool = Field(description="whether the file was written anew for that")
    spool_files: int = Field(description="files in the spool that were read")
    spool_left: list[str] = Field(description="files in the spool that still hold it")
    copies: list[str] = Field(
        description="copies of the database beside it, which hold what was there when they were"
        " made; backups elsewhere do so too"
    )


def _list_places(removed: Mapping[str, Mapping[str, int]] | list[Any]) -> list[Any]:
    if isinstance(removed, list):
        return removed
    return [
        {"place": place, "removed": counts.get("removed", 0), "changed": counts.get("changed", 0)}
        for place, counts in sorted(removed.items())
    ]


class Erasure(Shown):
    """A number that was forgotten; the number itself is not kept."""

    id: Annotated[str, read_id("era")] = Field(description="opaque", examples=["era_3"])
    number_ends: str = Field(
        validation_alias="tail", description="its last three digits", examples=["123"]
    )
    state: Literal["running", "done"] = Field(description="whether it is finished")
    asked_by: str = Field(description="who asked for it")
    asked_at: Time = Field(description="when")
    finished_at: Time | None = Field(description="when it was finished; null: it goes on by itself")
    obstacle: str | None = Field(description="why it has to go on later, where it has to")
    removed: Annotated[list[ErasedPlace], BeforeValidator(_list_places)] = Field(
        description="what was removed or changed, by place"
    )
    scan: ErasureScan | None = Field(description="null until it is finished")


@router.get("", responses=LINK_HEADER)
async def list_erasures(call: Call, query: Annotated[ListQuery, Query()]) -> Page[Erasure]:
    """List what was erased, newest first, with what was removed and what the scan found."""
    return await answer_list(call, query, erasures.list_erasures, Erasure.model_validate)


@router.post("", status_code=201, responses=CREATED)
async def erase_number(body: ErasureCreate, call: Call) -> Erasure:
    """Forget a number: remove every trace of it, except that it has opted out.

    What waits to be sent to it is cancelled. Its opt-out becomes a keyed digest, and holds. Where
    `state` is `running` after twenty seconds it goes on by itself, through restarts too; ask for
    it again. Backups that were made before still hold the number.
    """
    number = read_number(body.number, call.region)
    begun = await begin_erasure(call.database, number, who=call.actor, now=call.now)
    call.runtime.begin_erasing()
    found = await wait_for_erasure(call.database, begun.id, PATIENCE_SECONDS)
    call.runtime.announce_texts()
    shown = Erasure.model_validate(found)
    call.locate(f"/erasures/{shown.id}")
    return shown


@router.get("/{id}")
async def get_erasure(id: ErasureId, call: Call) -> Erasure:
    """Get one erasure, with what was removed from where."""
    return Erasure.model_validate(await call.database.read(erasures.get_erasure, id))
