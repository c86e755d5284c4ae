"""The conversations: one row for each pair of one of our numbers and a sender."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, case, or_, select

from app.domain.errors import NotFound
from app.domain.inbound.messages import make_number_key, make_pair_key
from app.domain.inbound.queries import MessageFilter
from app.domain.keywords import fold_text
from app.storage.db.id_walks import WALK_ROWS
from app.storage.db.upserts import make_insert
from app.storage.inbound.search import Message, Page, get_messages, list_messages
from app.storage.outbound.texts import OutboundText, list_sent_in
from app.storage.rules.opt_outs import find_opted_out
from app.storage.tables.conversations import conversations


@dataclass(frozen=True, slots=True)
class Conversation:
    """`last_message` is the newest that came in, None if only we have written.

    `updated_at` is when it arrived, or when somebody wrote by hand later.
    """

    id: int
    dest: str
    source: str
    name: str
    last_message: Message | None
    unread: int
    updated_at: datetime
    opted_out: bool


@dataclass(frozen=True, slots=True)
class ConversationPage:
    """`next` is what the next page's `before` is; None at the end."""

    conversations: list[Conversation]
    next: tuple[datetime, int] | None


@dataclass(frozen=True, slots=True)
class ThreadPage:
    """`next` is what the next page's `before` is, an id for each side; None at the end."""

    items: list[Message | OutboundText]
    next: tuple[int, int] | None


def list_conversations(
    conn: Connection,
    *,
    dest: str | None = None,
    source: str | None = None,
    unread: bool | None = None,
    words: Sequence[str] = (),
    before: tuple[datetime, int] | None,
    limit: int,
) -> ConversationPage:
    """Newest first.

    `words` are folded, and each must be part of the name or of a number. With them only WALK_ROWS
    conversations are read for a page, which may be short or empty while `next` is not None.
    """
    table = conversations.c
    query = select(conversations).order_by(table.updated_at.desc(), table.id.desc())
    if dest is not None:
        query = query.where(table.dest_key == make_number_key(dest))
    if source is not None:
        query = query.where(table.source_key == make_number_key(source))
    if unread is not None:
        query = query.where(table.unread > 0 if unread else table.unread == 0)
    looked_at = limit + 1 if not words else WALK_ROWS
    rows = conn.execute(_start_below(query, before).limit(looked_at)).all()
    matching = [row for row in rows if _has_words(row, words)]
    page = matching[:limit]
    last = page[-1] if len(matching) > limit else rows[-1] if len(rows) == looked_at else None
    rest = None if last is None else (last.updated_at, last.id)
    return ConversationPage(_make_conversations(conn, page), rest)


def _has_words(row: Row[Any], words: Sequence[str]) -> bool:
    if not words:
        return True
    folded = fold_text(f"{row.name} {row.source} {row.dest}")
    return all(word in folded for word in words)


def get_conversation(conn: Connection, conversation_id: int) -> Conversation:
    """Raises NotFound."""
    found = get_conversations(conn, [conversation_id])
    if not found:
        raise NotFound("no such conversation")
    return found[0]


def get_conversations(conn: Connection, ids: Sequence[int]) -> list[Conversation]:
    """In the order of the ids; those that do not exist are missing."""
    rows = conn.execute(select(conversations).where(conversations.c.id.in_(ids))).all()
    found = {each.id: each for each in _make_conversations(conn, rows)}
    return [found[each] for each in ids if each in found]


def read_names(conn: Connection, ids: Sequence[int]) -> dict[int, str]:
    """The names of whom these conversations are with, where one is known."""
    query = select(conversations.c.id, conversations.c.name).where(conversations.c.id.in_(ids))
    return {row.id: row.name for row in conn.execute(query) if row.name} if ids else {}


def open_conversations(
    conn: Connection, pairs: Iterable[tuple[str, str]], now: datetime
) -> dict[bytes, int]:
    """Lock the conversations of pairs (our number, whom it writes to), and create new ones.

    They come to the top of the list, because somebody is writing there. Locked in the same order as
    the handle flow does. Returns their ids by pair key.
    """
    rows = {
        make_pair_key(dest, source): {
            "dest_key": make_number_key(dest),
            "source_key": make_number_key(source),
            "dest": dest,
            "source": source,
            "name": "",
            "unread": 0,
            "updated_at": now,
        }
        for dest, source in pairs
    }
    statement = make_insert(conn, conversations)
    old, new = conversations.c, statement.excluded
    is_later = new.updated_at > old.updated_at
    upsert = statement.on_conflict_do_update(
        index_elements=["pair_key"],
        set_={"updated_at": case((is_later, new.updated_at), else_=old.updated_at)},
    ).returning(old.id, old.pair_key)
    found = conn.execute(upsert, [{"pair_key": key, **row} for key, row in sorted(rows.items())])
    return {row.pair_key: row.id for row in found}


def list_thread(
    conn: Connection, conversation: Conversation, *, before: tuple[int, int] | None, limit: int
) -> ThreadPage:
    """The texts of both sides, newest first.

    Each side is read by its own ids and the later of the next two is taken, so that every text is
    on exactly one page, whatever comes in meanwhile.
    """
    top_message, top_text = before or (None, None)
    wanted = MessageFilter(source=conversation.source, dest=conversation.dest)
    page = list_messages(conn, wanted, before=top_message, limit=limit)
    texts = list_sent_in(conn, conversation.id, before=top_text, limit=limit + 1)
    items = _merge(page, texts, limit)
    if page.next is None and len(items) == len(page.messages) + len(texts):
        return ThreadPage(items, None)
    shown = [item.id for item in items if isinstance(item, Message)]
    place = _find_place([each.id for each in page.messages], shown, top_message)
    if page.next is not None and len(shown) == len(page.messages):
        place = page.next  # messages have been searched for down to here
    sent = [item.id for item in items if isinstance(item, OutboundText)]
    return ThreadPage(items, (place, _find_place([each.id for each in texts], sent, top_text)))


def _merge(page: Page, texts: Sequence[OutboundText], limit: int) -> list[Message | OutboundText]:
    """The newest of both sides, as far as is known."""
    items: list[Message | OutboundText] = []
    messages_left, texts_left = deque(page.messages), deque(texts)
    while len(items) < limit and (messages_left or texts_left):
        if not messages_left and page.next is not None:
            break  # what comes next may be a message
        # If both came at the same moment, the answer is the later one.
        if texts_left and (
            not messages_left or texts_left[0].created_at >= messages_left[0].arrived_at
        ):
            items.append(texts_left.popleft())
        else:
            items.append(messages_left.popleft())
    return items


def _find_place(found: Sequence[int], shown: Sequence[int], top: int | None) -> int:
    """The id below which nothing has been shown; texts that are newer stay out."""
    if shown:
        return shown[-1]
    return found[0] + 1 if found else top or 0


def _start_below(query: Select[Any], before: tuple[datetime, int] | None) -> Select[Any]:
    if before is None:
        return query
    updated_at, conversation_id = before
    table = conversations.c
    return query.where(
        table.updated_at <= updated_at,
        or_(table.updated_at < updated_at, table.id < conversation_id),
    )


def _make_conversations(conn: Connection, rows: Sequence[Row[Any]]) -> list[Conversation]:
    stored = get_messages(conn, [row.last_message_id for row in rows if row.last_message_id])
    opted_out = find_opted_out(conn, [row.source for row in rows])
    return [
        Conversation(
            row.id,
            row.dest,
            row.source,
            row.name,
            stored.get(row.last_message_id),
            row.unread,
            row.updated_at,
            row.source in opted_out,
        )
        for row in rows
    ]
