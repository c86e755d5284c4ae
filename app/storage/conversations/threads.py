"""A conversation's thread: what both sides wrote and our notes, and its authors."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Table, select

from app.domain.ids import LAST_ID
from app.domain.inbound.queries import MessageFilter
from app.storage.conversations.conversations import Conversation
from app.storage.conversations.notes import Note, list_notes
from app.storage.inbound.search import Message, Page, get_message, list_messages
from app.storage.outbound.texts import OutboundText, list_sent_in
from app.storage.tables.conversations import conversation_notes
from app.storage.tables.inbound import message_index, messages
from app.storage.tables.outbound import outbound, status_changes

Entry = Message | OutboundText | Note
# Where a thread goes on: the ids of a message, a text of ours and a note, all exclusive.
ThreadPlace = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class ThreadPage:
    """`next` is what the next page's `before` is; None at the end."""

    items: list[Entry]
    next: ThreadPlace | None


def list_thread(
    conn: Connection, conversation: Conversation, *, before: ThreadPlace | None, limit: int
) -> ThreadPage:
    """The texts of both sides and the notes, newest first.

    Each kind is read by its own ids and the latest of the next three is taken, so that everything
    is on exactly one page, whatever comes in meanwhile.
    """
    top_message, top_text, top_note = before or (None, None, None)
    wanted = MessageFilter(source=conversation.source, dest=conversation.dest)
    page = list_messages(conn, wanted, before=top_message, limit=limit)
    texts = list_sent_in(conn, conversation.id, before=top_text, limit=limit + 1)
    notes = list_notes(conn, conversation.id, before=top_note, limit=limit + 1)
    items = _merge(page, texts, notes, limit)
    if page.next is None and len(items) == len(page.messages) + len(texts) + len(notes):
        return ThreadPage(items, None)
    shown = [item.id for item in items if isinstance(item, Message)]
    place = _find_place([each.id for each in page.messages], shown, top_message)
    if page.next is not None and len(shown) == len(page.messages):
        place = page.next  # messages have been searched for down to here
    sent = [item.id for item in items if isinstance(item, OutboundText)]
    noted = [item.id for item in items if isinstance(item, Note)]
    return ThreadPage(
        items,
        (
            place,
            _find_place([each.id for each in texts], sent, top_text),
            _find_place([each.id for each in notes], noted, top_note),
        ),
    )


def _merge(
    page: Page, texts: Sequence[OutboundText], notes: Sequence[Note], limit: int
) -> list[Entry]:
    """The newest of all, as far as is known."""
    items: list[Entry] = []
    messages_left, others_left = deque(page.messages), deque(_merge_ours(texts, notes))
    while len(items) < limit and (messages_left or others_left):
        if not messages_left and page.next is not None:
            break  # what comes next may be a message
        # If both came at the same moment, the answer is the later one.
        if others_left and (
            not messages_left or others_left[0].created_at >= messages_left[0].arrived_at
        ):
            items.append(others_left.popleft())
        else:
            items.append(messages_left.popleft())
    return items


def _merge_ours(texts: Sequence[OutboundText], notes: Sequence[Note]) -> list[OutboundText | Note]:
    """Each side stays in the order of its ids, even where a clock was set back."""
    items: list[OutboundText | Note] = []
    texts_left, notes_left = deque(texts), deque(notes)
    while texts_left and notes_left:
        is_note = notes_left[0].created_at >= texts_left[0].created_at
        items.append(notes_left.popleft() if is_note else texts_left.popleft())
    return [*items, *texts_left, *notes_left]


def _find_place(found: Sequence[int], shown: Sequence[int], top: int | None) -> int:
    """The id below which nothing has been shown; what is newer stays out."""
    if shown:
        return shown[-1]
    return found[0] + 1 if found else top or 0


def find_place(conn: Connection, conversation: Conversation, message_id: int) -> ThreadPlace:
    """The `before` of the page whose newest message is this one. Raises NotFound."""
    arrived_at = get_message(conn, message_id).arrived_at

    def find_later(table: Table) -> int:
        later = (
            select(table.c.id)
            .where(table.c.conversation_id == conversation.id, table.c.created_at > arrived_at)
            .order_by(table.c.id)
            .limit(1)
        )
        return conn.execute(later).scalar() or LAST_ID

    return message_id + 1, find_later(outbound), find_later(conversation_notes)


def find_sent_place(
    conn: Connection, conversation: Conversation, outbound_id: int
) -> ThreadPlace | None:
    """The `before` of the page whose newest text of ours is this one; None if it has none such."""
    mine = outbound.c.id == outbound_id, outbound.c.conversation_id == conversation.id
    created_at = conn.execute(select(outbound.c.created_at).where(*mine)).scalar()
    if created_at is None:
        return None
    later = (
        select(messages.c.id)
        .join(message_index, message_index.c.message_id == messages.c.id)
        .where(message_index.c.conversation_id == conversation.id)
        .where(messages.c.arrived_at > created_at)
        .order_by(message_index.c.message_id)
        .limit(1)
    )
    notes = conversation_notes.c
    noted = (
        select(notes.id)
        .where(notes.conversation_id == conversation.id, notes.created_at > created_at)
        .order_by(notes.id)
        .limit(1)
    )
    top_message, top_note = (conn.execute(each).scalar() or LAST_ID for each in (later, noted))
    return top_message, outbound_id + 1, top_note


def list_authors(conn: Connection, outbound_ids: Sequence[int]) -> dict[int, str]:
    """Who wrote each text, from the first line of its history."""
    table = status_changes.c
    query = (
        select(table.outbound_id, table.source)
        .where(table.outbound_id.in_(outbound_ids), table.status == "queued")
        .order_by(table.id.desc())
    )
    return dict(conn.execute(query).all()) if outbound_ids else {}
