"""/audit: who did what."""

from typing import Annotated, Any

from fastapi import Query
from pydantic import Field

from app.api.core.calls import Call
from app.api.core.filters import TimeFilter
from app.api.core.lists import LINK_HEADER, ListQuery, answer_list
from app.api.core.routing import make_router
from app.api.core.schemas import Page, Shown, Time, read_id
from app.domain.ids import encode_subject
from app.storage.access import audit

router = make_router("/audit", "admin")


class AuditEntry(Shown):
    """What somebody did."""

    id: Annotated[str, read_id("aud")] = Field(description="opaque", examples=["aud_9"])
    done_at: Time = Field(description="when it was done")
    actor: str = Field(
        description="`key:` and the key's name, `member:` and the member's id, `cli:` and the user;"
        " `session:` and a typed name in old entries; `stranger` where a sign-in failed",
        examples=["key:reporting"],
    )
    action: str = Field(description="stable for programs", examples=["rule.change"])
    subject: str = Field(description="the id, number or name that it was done to")
    detail: dict[str, Any] = Field(description="what was said or changed, by field; no secrets")
    address: str | None = Field(description="where the request came from; null at a command line")


class AuditQuery(ListQuery):
    """The filters of /audit."""

    actor: Annotated[
        str | None, Field(max_length=300, description="who did it", examples=["key:reporting"])
    ] = None
    action: Annotated[
        str | None, Field(max_length=100, description="what was done", examples=["rule.change"])
    ] = None
    since: Annotated[TimeFilter, Field(description="done then or later")] = None
    until: Annotated[TimeFilter, Field(description="done before then")] = None


def show_entry(entry: audit.AuditEntry) -> AuditEntry:
    """As programs see it: the subject by the id that they know."""
    shown = AuditEntry.model_validate(entry)
    shown.subject = encode_subject(entry.action, entry.subject)
    return shown


@router.get("", responses=LINK_HEADER)
async def list_audit(call: Call, query: Annotated[AuditQuery, Query()]) -> Page[AuditEntry]:
    """List who did what, newest first."""
    return await answer_list(call, query, audit.list_audit, show_entry)
