"""What the page of a conversation shows: a part of the thread, and who it is with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.domain.errors import NotFound
from app.domain.inbound.messages import MERGE_FIELDS
from app.domain.numbers import is_full_number
from app.domain.places import write_place
from app.domain.rules.rules import Rule
from app.storage.access.numbers import Number, get_number
from app.storage.conversations.conversations import Conversation, get_conversation
from app.storage.conversations.threads import (
    Entry,
    ThreadPage,
    ThreadPlace,
    find_place,
    list_authors,
    list_thread,
)
from app.storage.db.database import Connection
from app.storage.inbound.search import Message
from app.storage.outbound.texts import OutboundText
from app.storage.rules.opt_outs import OptOut, get_opt_out
from app.storage.rules.rules import read_rules
from app.web.core.rendering.wording import FIELD_LABELS

PAGE = 50
# The newest page is longer where there are more new texts.
LONGEST_PAGE = 200


@dataclass(frozen=True, slots=True)
class Place:
    """Which page of a thread: below `before`, that which holds the message `at`, else the newest.

    `divider` is the message that the divider stands above on an open page, `sight` what its script
    says of the reader: "seen" where texts are seen as they arrive, "unseen" where they arrive below
    the window, "hidden" where the tab is, "" for a page that is opened.
    """

    before: ThreadPlace | None = None
    at: int | None = None
    divider: int | None = None
    sight: str = ""


@dataclass(frozen=True, slots=True)
class Opened:
    """What the page of a conversation shows, the thread oldest first.

    `fields` are the sender's merge fields, by the number's own names for them. `unread` are the ids
    of the unread texts among the entries, oldest first; the divider stands above `divider`.
    """

    conversation: Conversation
    entries: Sequence[Entry]
    older: str | None
    fields: Mapping[str, str]
    label: str
    opt_out: OptOut | None
    rules: Mapping[int, Rule]
    authors: Mapping[int, str]
    is_newest: bool
    unread: Sequence[int]
    divider: int | None

    @property
    def can_be_answered(self) -> bool:
        return is_full_number(self.conversation.source) and bool(self.conversation.dest)


def open_thread(conn: Connection, conversation_id: int, place: Place) -> Opened:
    """The page of the thread that holds that place. Raises NotFound."""
    conversation = get_conversation(conn, conversation_id)
    thread, is_newest = _read_thread(conn, conversation, place)
    texts = [entry for entry in thread.items[::-1] if isinstance(entry, Message)]
    unread = [each.id for each in texts if each.read_at is None and each.handled_at is not None]
    known = place.divider if place.divider in {each.id for each in texts} else None
    sent = [entry for entry in thread.items if isinstance(entry, OutboundText)]
    ours = _find_our_number(conn, conversation.dest)
    return Opened(
        conversation,
        thread.items[::-1],
        None if thread.next is None else write_place(thread.next),
        _name_fields(conversation, ours.merge_field_names if ours else {}),
        ours.label if ours else "",
        get_opt_out(conn, conversation.source) if conversation.opted_out else None,
        {rule.id: rule for rule in read_rules(conn)},
        list_authors(conn, [each.id for each in sent if each.origin == "person"]),
        is_newest,
        unread,
        _choose_divider(place, known, unread),
    )


def _choose_divider(place: Place, known: int | None, unread: Sequence[int]) -> int | None:
    """It stays where it is while somebody reads, and goes to what came in while nobody did."""
    first = unread[0] if unread else None
    if place.sight == "seen":
        return known
    return known or first if place.sight == "unseen" else first or known


def _read_thread(
    conn: Connection, conversation: Conversation, place: Place
) -> tuple[ThreadPage, bool]:
    """The page, and whether it is the newest, which goes back to the first new text."""
    thread = list_thread(conn, conversation, before=place.before, limit=PAGE)
    shown = [entry for entry in thread.items if isinstance(entry, Message)]
    if place.before is not None:
        return thread, False
    if place.at is not None and all(each.id != place.at for each in shown):
        before = find_place(conn, conversation, place.at)
        return list_thread(conn, conversation, before=before, limit=PAGE), False
    oldest = shown[-1].id if shown else 0
    unread = sum(each.read_at is None for each in shown)
    goes_on = unread < conversation.unread or (place.divider or oldest) < oldest
    if thread.next is not None and goes_on:
        thread = list_thread(conn, conversation, before=None, limit=LONGEST_PAGE)
    return thread, True


def _find_our_number(conn: Connection, number: str) -> Number | None:
    try:
        return get_number(conn, number)
    except NotFound:
        return None


def _name_fields(conversation: Conversation, names: Mapping[str, str]) -> dict[str, str]:
    """The merge fields that came with the last text, in their order."""
    last = conversation.last_message
    if last is None:
        return {}
    return {
        names.get(field) or FIELD_LABELS[field]: last.merge_fields[field]
        for field in MERGE_FIELDS
        if last.merge_fields.get(field)
    }
