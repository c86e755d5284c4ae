"""/conversations: one for each pair of one of our numbers and a sender."""

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import Query
from pydantic import Field

from app.api.conversations.schemas import (
    Conversation,
    ConversationChanges,
    ConversationDetail,
    ConversationMessage,
    ConversationNote,
    ConversationOutbound,
    NoteCreate,
)
from app.api.core.calls import Call, ConversationId
from app.api.core.enums import ConversationNeeds, ConversationState
from app.api.core.etags import IfMatch
from app.api.core.filters import BoolFilter, NumberFilter, read_numbers
from app.api.core.lists import (
    LINK_HEADER,
    ListQuery,
    PageQuery,
    answer_pages,
    find_place,
    make_next,
)
from app.api.core.routing import make_router
from app.api.core.schemas import Page
from app.domain.errors import NotFound
from app.domain.ids import find_number
from app.domain.inbound.queries import fold_words
from app.domain.places import TimePlace, read_thread_place, read_time_place
from app.flows.conversations.change_conversations import ConversationChange, add_note, change_all
from app.storage.conversations import conversations, threads
from app.storage.conversations.conversation_lists import ConversationFilter, list_conversations
from app.storage.conversations.notes import Note
from app.storage.conversations.threads import Entry, ThreadPage, ThreadPlace
from app.storage.db.database import Connection
from app.storage.inbound.search import Message

reading = make_router("/conversations", "messages:read")
writing = make_router("/conversations", "messages:send")

NOBODY: Literal["none"] = "none"


class ConversationQuery(ListQuery):
    """The filters of /conversations."""

    source: Annotated[NumberFilter, Field(description="who texts")] = None
    dest: Annotated[NumberFilter, Field(description="which number is texted")] = None
    q: Annotated[
        str | None,
        Field(
            max_length=200,
            description="every word is a part of the name or of a number, or of one text of either"
            " side",
        ),
    ] = None
    unread: Annotated[BoolFilter, Field(description="with a text not read yet, or without")] = None
    opted_out: Annotated[
        BoolFilter, Field(description="whose sender refuses texts, or does not")
    ] = None
    state: Annotated[ConversationState | None, Field(description="open or done")] = None
    needs: Annotated[
        ConversationNeeds | None, Field(description="what somebody has to do there")
    ] = None
    assigned_to: Annotated[
        str | None, Field(max_length=20, description="a member's id, or `none` for nobody")
    ] = None

    def make_filter(self) -> ConversationFilter:
        is_unassigned = self.assigned_to == NOBODY
        return ConversationFilter(
            dest=self.dest,
            source=self.source,
            unread=self.unread,
            opted_out=self.opted_out,
            state=self.state,
            needs=self.needs,
            assigned_to=None if is_unassigned else find_number("mem", self.assigned_to),
            is_assigned=False if is_unassigned else None,
            words=fold_words(self.q or ""),
        )


@reading.get("", responses=LINK_HEADER)
async def list_all(call: Call, query: Annotated[ConversationQuery, Query()]) -> Page[Conversation]:
    """List conversations, the one with the newest message first.

    With `q` a page may be short or empty while `next` is not null. `needs=attention` looks at the
    newest 5,000 texts that need it.
    """
    query = read_numbers(query, call.region)
    wanted = query.make_filter()

    async def read(
        before: TimePlace | None, limit: int
    ) -> tuple[Sequence[conversations.Conversation], TimePlace | None]:
        found = await call.database.read(list_conversations, wanted, before=before, limit=limit)
        return found.conversations, found.next

    return await answer_pages(call, query, read, Conversation.model_validate, read_time_place)


@reading.get("/{id}", responses=LINK_HEADER)
async def get_conversation(
    id: ConversationId, call: Call, query: Annotated[PageQuery, Query()]
) -> ConversationDetail:
    """Get a conversation with a page of what both sides wrote and of its notes, newest first."""
    before = find_place(call, query, read_thread_place)
    found, page = await call.database.read(_read_thread, id, before=before, limit=query.limit)
    shown = Conversation.model_validate(found).model_dump()
    items = [_show_item(each) for each in page.items]
    return ConversationDetail(**shown, items=items, next=make_next(call, query, page.next))


@writing.patch("/{id}")
async def change_conversation(
    id: ConversationId, body: ConversationChanges, call: Call, if_match: IfMatch
) -> Conversation:
    """Mark a conversation as done or open, or assign it to a member."""
    sent = body.model_fields_set
    changed = await change_all(
        call.database,
        [id],
        ConversationChange(
            state=body.state if "state" in sent else None,
            assigned_to=find_number("mem", body.assigned_to),
            unassign="assigned_to" in sent and body.assigned_to is None,
        ),
        check=if_match.checking(Conversation.model_validate),
        who=call.actor,
        now=call.now,
    )
    if not changed:
        raise NotFound("no such conversation")
    call.runtime.wakeups.notify("events")
    return Conversation.model_validate(changed[0])


@writing.post("/{id}/notes", status_code=201)
async def create_note(id: ConversationId, body: NoteCreate, call: Call) -> ConversationNote:
    """Add a note for the other members; it is never sent."""
    added = await add_note(call.database, id, body.body, who=call.actor, now=call.now)
    call.runtime.wakeups.notify("events")
    return ConversationNote.model_validate(added)


def _show_item(item: Entry) -> ConversationMessage | ConversationOutbound | ConversationNote:
    if isinstance(item, Message):
        return ConversationMessage.model_validate(item)
    if isinstance(item, Note):
        return ConversationNote.model_validate(item)
    return ConversationOutbound.model_validate(item)


def _read_thread(
    conn: Connection, number: int, *, before: ThreadPlace | None, limit: int
) -> tuple[conversations.Conversation, ThreadPage]:
    found = conversations.get_conversation(conn, number)
    return found, threads.list_thread(conn, found, before=before, limit=limit)
