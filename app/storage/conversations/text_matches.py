"""Texts of both directions that hold the words of a search."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection

from app.domain.ids import LAST_ID
from app.domain.inbound.queries import MessageFilter
from app.storage.inbound.search import Message, list_messages
from app.storage.outbound.lists import OutboundFilter, list_outbound
from app.storage.outbound.texts import OutboundText

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Where a search continues: below a message, and below a text of ours.
Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class TextPage:
    """`next` is what the next page's `before` is; None at the end."""

    items: list[Message | OutboundText]
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
