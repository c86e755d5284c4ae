"""What a search in the inbox finds: people, and texts of both directions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response
from starlette.routing import Route

from app.domain.errors import NotFound
from app.domain.inbound.queries import fold_words
from app.domain.numbers import find_digits
from app.domain.places import read_pair_place, write_place
from app.storage.conversations.conversations import (
    Conversation,
    get_conversation,
    get_conversations,
)
from app.storage.conversations.inbox import find_people
from app.storage.conversations.text_matches import search_texts
from app.storage.conversations.threads import ThreadPlace, find_sent_place, list_thread
from app.storage.db.database import Connection
from app.storage.inbound.search import Message
from app.storage.outbound.texts import OutboundText
from app.web.core.site import Site, Visit

PAGE = 50
# How many people a search lists above the texts.
PEOPLE = 20


@dataclass(frozen=True, slots=True)
class Found:
    """People (on the first page), and texts with their conversations by id.

    `words` are folded; `digits` are those of a number, or of part of one. `following` is where the
    next page begins.
    """

    words: Sequence[str]
    digits: str
    people: Sequence[Conversation]
    texts: Sequence[Message | OutboundText]
    conversations: Mapping[int, Conversation]
    following: tuple[int, int] | None


def make_search_routes(site: Site) -> list[Route]:
    return [site.get("/conversations/{id:int}/sent/{text:int}", open_at_sent)]


def find(conn: Connection, q: str, *, dest: str | None, before: str, region: str) -> Found:
    """What holds every word of `q`; `dest` is one of our numbers."""
    words, digits = fold_words(q), find_digits(q, region)
    place = read_pair_place(before)
    people = [] if place else find_people(conn, q, digits=digits, dest=dest, limit=PEOPLE)
    page = search_texts(conn, words, dest=dest, before=place, limit=PAGE)
    ids = {each.conversation_id for each in page.items if each.conversation_id}
    known = {each.id: each for each in get_conversations(conn, sorted(ids))}
    return Found(words, digits, people, page.items, known, page.next)


async def open_at_sent(visit: Visit) -> Response:
    """Lead to a text of ours in its conversation."""
    text_id: int = visit.request.path_params["text"]
    before = await visit.database.read(_find_page, visit.path_id, text_id)
    query = "" if before is None else f"?before={write_place(before)}"
    return visit.redirect(f"/conversations/{visit.path_id}{query}#o{text_id}")


def _find_page(conn: Connection, conversation_id: int, text_id: int) -> ThreadPlace | None:
    """The `before` of a page that shows the text; None if the newest does. Raises NotFound."""
    conversation = get_conversation(conn, conversation_id)
    newest = list_thread(conn, conversation, before=None, limit=PAGE)
    if any(isinstance(each, OutboundText) and each.id == text_id for each in newest.items):
        return None
    place = find_sent_place(conn, conversation, text_id)
    if place is None:
        raise NotFound("this conversation has no such text")
    return place
