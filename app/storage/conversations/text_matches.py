"""Texts of both directions that hold the words of a search, and the conversations they are in."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Select, select

from app.domain.ids import LAST_ID
from app.domain.inbound.queries import MessageFilter, has_words
from app.storage.inbound.search import Message, list_messages
from app.storage.outbound.lists import OutboundFilter, list_outbound
from app.storage.outbound.texts import OutboundText
from app.storage.tables.inbound import message_index, messages
from app.storage.tables.outbound import outbound

# A conversation comes again where more of its texts than that are newer than a page.
NEWER_ROWS = 500

# Where a search continues: below a message, and below a text of ours.
Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class TextPage:
    """`next` is what the next page's `before` is; None at the end."""

    items: list[Message | OutboundText]
    next: Place | None


@dataclass(frozen=True, slots=True)
class ConversationIds:
    """Conversations in the order of their newest text that matches; `next` as above."""

    ids: list[int]
    next: Place | None


def search_texts(
    conn: Connection,
    words: Sequence[str],
    *,
    dest: str | None = None,
    before: Place | None,
    limit: int,
) -> TextPage:
    """The texts of both sides, newest first, that hold every folded word, at least one of them;
    `dest` is our number.

    Does bounded work: a page may be short or empty while `next` is not None. Each text is on one
    page. Where the search for one side lags behind, older texts of the other come before its newer.
    """
    top_message, top_text = before or (None, LAST_ID)
    wanted = MessageFilter(words=tuple(words), dest=dest)
    received = list_messages(conn, wanted, before=top_message, limit=limit)
    ours = OutboundFilter(words=tuple(words), dest=dest)
    sent = list_outbound(conn, ours, before=(_EPOCH, top_text), limit=limit)
    items = _merge(received.messages, sent.texts, limit)
    shown: dict[type, int] = {type(each): each.id for each in items}
    sent_next = None if sent.next is None else sent.next[1]
    places = (
        _find_place(received.messages, shown.get(Message), received.next),
        _find_place(sent.texts, shown.get(OutboundText), sent_next),
    )
    return TextPage(items, None if places == (0, 0) else places)


def find_conversations_with(
    conn: Connection,
    words: Sequence[str],
    *,
    dest: str | None = None,
    before: Place | None,
    limit: int,
) -> ConversationIds:
    """The conversations of those texts, each once. A page may be short, as there."""
    page = search_texts(conn, words, dest=dest, before=before, limit=limit)
    ids = dict.fromkeys(each.conversation_id for each in page.items if each.conversation_id)
    if before is not None:
        ids = {each: None for each in ids if not _has_newer_match(conn, each, words, before)}
    return ConversationIds(list(ids), page.next)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _merge(
    received: Sequence[Message], sent: Sequence[OutboundText], limit: int
) -> list[Message | OutboundText]:
    """Each side in its own order, so that what is left out comes below what is shown."""
    left, right = deque(received), deque(sent)
    items: list[Message | OutboundText] = []
    while (left or right) and len(items) < limit:
        if right and (not left or right[0].created_at >= left[0].arrived_at):
            items.append(right.popleft())
        else:
            items.append(left.popleft())
    return items


def _find_place(
    found: Sequence[Message | OutboundText], last_shown: int | None, following: int | None
) -> int:
    """Where one side continues; 0 at its end."""
    if not found or last_shown == found[-1].id:
        return following or 0
    return found[0].id + 1 if last_shown is None else last_shown


def _has_newer_match(
    conn: Connection, conversation_id: int, words: Sequence[str], place: Place
) -> bool:
    """Whether an earlier page has shown the conversation."""
    top_message, top_text = place
    received = (
        select(messages.c.body)
        .join(message_index, message_index.c.message_id == messages.c.id)
        .where(message_index.c.conversation_id == conversation_id)
        .where(message_index.c.message_id >= top_message)
        .order_by(message_index.c.message_id)
    )
    sent = (
        select(outbound.c.body)
        .where(outbound.c.conversation_id == conversation_id)
        .where(outbound.c.id >= top_text)
        .order_by(outbound.c.id)
    )
    return _holds_one(conn, received, words) or _holds_one(conn, sent, words)


def _holds_one(conn: Connection, query: Select[Any], words: Sequence[str]) -> bool:
    bodies = conn.execute(query.limit(NEWER_ROWS)).scalars()
    return any(has_words(body, words) for body in bodies)
