"""The audit trail: who did what, when."""

import json
from collections.abc import Sequence
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from app.domain.access.members import describe_actor
from app.domain.ids import encode_subject
from app.storage.access.audit import (
    AuditEntry,
    list_audit,
    list_audit_actions,
    list_audit_actors,
)
from app.web.access.audit_sentences import describe_detail, name_action, write_sentence
from app.web.core.forms.form import Form
from app.web.core.lists import answer_csv, cut_page, link_page, read_all, read_day, read_list
from app.web.core.rendering.renderer import write_iso
from app.web.core.site import Site, Visit

PATH = "/audit"
HEADINGS = ("done_at", "actor", "action", "subject", "detail", "address")


def make_audit_routes(site: Site) -> list[Route]:
    return [site.get(PATH, show_audit), site.get(f"{PATH}/csv", export_audit)]


async def show_audit(visit: Visit) -> Response:
    """The newest actions first, as the filters have it."""
    query = visit.query
    filters = _read_filters(visit, query)
    page = cut_page(visit, []) if query.errors else await read_list(visit, list_audit, **filters)
    actors = await visit.database.read(list_audit_actors)
    actions = await visit.database.read(list_audit_actions)
    return visit.render(
        "access/audit.html",
        status=422 if query.errors else 200,
        page=page,
        form=query,
        actors=[(each, _name_actor(visit, each)) for each in actors],
        actions=sorted(((each, name_action(each)) for each in actions), key=lambda pair: pair[1]),
        write_sentence=lambda entry: write_sentence(entry, visit.member_names),
        describe_detail=describe_detail,
        csv=link_page(visit, f"{PATH}/csv"),
    )


async def export_audit(visit: Visit) -> Response:
    """All entries that match, as CSV."""
    pages = read_all(visit, list_audit, **_read_filters(visit, visit.query))
    return await answer_csv(visit, "audit", HEADINGS, pages, _write)


def _read_filters(visit: Visit, query: Form) -> dict[str, Any]:
    zone = visit.site.runtime.settings.zone
    since = read_day(query, "since", zone)
    until = read_day(query, "until", zone, is_end=True)
    return {
        "actor": query.text("actor") or None,
        "action": query.text("action") or None,
        "since": since,
        "until": until,
    }


def _name_actor(visit: Visit, actor: str) -> str:
    """As a menu begins it; a name of before members may be a member's as well."""
    name = describe_actor(actor, visit.member_names)
    return f"{name} (before members)" if actor.startswith("session:") else name


def _write(entry: AuditEntry) -> Sequence[str]:
    detail = json.dumps(dict(entry.detail), ensure_ascii=False) if entry.detail else ""
    done_at, address = write_iso(entry.done_at), entry.address or ""
    subject = encode_subject(entry.action, entry.subject)
    return [done_at, entry.actor, entry.action, subject, detail, address]
