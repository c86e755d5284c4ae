"""Drafts of replies, and who else is writing in a conversation."""

from collections.abc import Iterable, Mapping, Sequence

from starlette.responses import Response
from starlette.routing import Route

from app.flows.conversations.keep_draft import FRESH, forget_draft, keep_draft
from app.storage.conversations import drafts
from app.storage.conversations.conversations import get_conversation
from app.web.core.forms.form import Form
from app.web.core.site import Site, Visit

# No text that can be sent comes near it.
LONGEST_FIELD = 20_000
# How often a page asks whether somebody is still writing.
ASKING_MILLISECONDS = 5_000


def make_draft_routes(site: Site) -> list[Route]:
    path = "/conversations/{id:int}"
    return [
        site.post(f"{path}/draft", take_draft),
        site.get(f"{path}/writing", show_writers),
    ]


async def take_draft(visit: Visit) -> Response:
    """What somebody has written so far, sent by the script every other second."""
    form = await visit.read_form()
    found = await visit.database.read(get_conversation, visit.path_id)
    await save_fields(visit, found.id, form, ["body"])
    return Response(status_code=204)


async def show_writers(visit: Visit) -> Response:
    """The part of a conversation's page that says who else is writing there."""
    return visit.render(
        "conversations/writing.html",
        conversation_id=visit.path_id,
        writers=await list_writers(visit, visit.path_id),
        asking=ASKING_MILLISECONDS,
    )


async def list_writers(visit: Visit, conversation_id: int) -> Sequence[str]:
    """Who else is writing in a conversation, as the audit trail names them."""
    return await visit.database.read(
        drafts.list_writers,
        conversation_id,
        besides=visit.signed_in.actor,
        since=visit.now - FRESH,
    )


async def read_draft(visit: Visit, conversation_id: int) -> Mapping[str, str]:
    """What this person has begun to write there, by field."""
    return await visit.database.read(drafts.get_draft, conversation_id, visit.signed_in.actor)


async def save_fields(
    visit: Visit,
    conversation_id: int,
    form: Form,
    names: Iterable[str],
    choices: Iterable[str] = (),
) -> None:
    """Keep these fields of a form as this person's draft, and `choices` if any is filled in."""
    texts = _read_texts(form, names)
    if texts:
        texts |= _read_texts(form, choices)
    owner = visit.signed_in.actor
    is_news = await keep_draft(visit.database, conversation_id, owner, texts, now=visit.now)
    if is_news:
        visit.site.runtime.announce_draft(conversation_id)


def _read_texts(form: Form, names: Iterable[str]) -> dict[str, str]:
    return {name: form.text(name)[:LONGEST_FIELD] for name in names if form.text(name)}


async def end_draft(visit: Visit, conversation_id: int) -> None:
    """The text was sent."""
    if await forget_draft(visit.database, conversation_id, visit.signed_in.actor):
        visit.site.runtime.announce_draft(conversation_id)
