"""Edits saved replies, and fills them with what is known of a person."""

from collections.abc import Callable
from datetime import datetime

from app.domain.errors import Conflict, InvalidInput
from app.domain.lengths import LONGEST_NAME, check_length
from app.domain.rules.replies import check_template, list_values
from app.domain.templates import fill_template
from app.flows.access.configure import accept
from app.storage.access.audit import add_audit
from app.storage.conversations.conversations import Conversation, get_conversation
from app.storage.conversations.inbox import find_conversation
from app.storage.db.database import Connection, Database
from app.storage.outbound import saved_replies
from app.storage.outbound.saved_replies import SavedReply
from app.storage.rules.answers import read_our_numbers

# More would fit into no menu.
MOST_REPLIES = 200


async def create_saved_reply(
    database: Database, name: str, body: str, *, who: str, now: datetime
) -> SavedReply:
    """Raises InvalidInput, which names the field, and Conflict if there are too many."""

    def create(conn: Connection) -> SavedReply:
        if saved_replies.count_saved_replies(conn) >= MOST_REPLIES:
            raise Conflict(f"there are {MOST_REPLIES} saved replies already: remove one first")
        _check(conn, name, body, None)
        reply = saved_replies.add_saved_reply(conn, name, body, now)
        add_audit(conn, who, "saved-reply.create", str(reply.id), {"name": name}, now)
        return reply

    return await database.write(create)


async def change_saved_reply(
    database: Database,
    reply_id: int,
    *,
    name: str | None = None,
    body: str | None = None,
    check: Callable[[SavedReply], None] = accept,
    who: str,
    now: datetime,
) -> SavedReply:
    """What is None stays. `check` may object to the current one. Raises NotFound besides."""

    def change(conn: Connection) -> SavedReply:
        old = saved_replies.get_saved_reply(conn, reply_id)
        check(old)
        new_name = old.name if name is None else name
        new_body = old.body if body is None else body
        if (new_name, new_body) == (old.name, old.body):
            return old
        _check(conn, new_name, new_body, reply_id)
        add_audit(conn, who, "saved-reply.change", str(reply_id), {"name": new_name}, now)
        return saved_replies.change_saved_reply(conn, reply_id, new_name, new_body, now)

    return await database.write(change)


async def remove_saved_reply(
    database: Database,
    reply_id: int,
    *,
    check: Callable[[SavedReply], None] = accept,
    who: str,
    now: datetime,
) -> None:
    """Texts that were written with it stay. Raises NotFound."""

    def remove(conn: Connection) -> None:
        old = saved_replies.get_saved_reply(conn, reply_id)
        check(old)
        saved_replies.remove_saved_reply(conn, reply_id)
        add_audit(conn, who, "saved-reply.remove", str(reply_id), {"name": old.name}, now)

    await database.write(remove)


def fill_for_conversation(conn: Connection, reply_id: int, conversation_id: int) -> str:
    """The reply with what is known of whom the conversation is with. Raises NotFound."""
    body = saved_replies.get_saved_reply(conn, reply_id).body
    conversation = get_conversation(conn, conversation_id)
    return fill_template(body, _list_known(conn, conversation))


def fill_for_number(conn: Connection, reply_id: int, pair_key: bytes, to: str, ours: str) -> str:
    """The same for a number that we may never have texted. Raises NotFound."""
    found = find_conversation(conn, pair_key)
    if found is not None:
        return fill_for_conversation(conn, reply_id, found)
    body = saved_replies.get_saved_reply(conn, reply_id).body
    return fill_template(body, {"source": to, "dest": ours})


def _list_known(conn: Connection, conversation: Conversation) -> dict[str, str]:
    last = conversation.last_message
    ours = read_our_numbers(conn).get(conversation.dest)
    values = list_values(
        source=conversation.source,
        dest=conversation.dest,
        body=last.body if last else "",
        merge_fields=last.merge_fields if last else {},
        merge_field_names=ours.merge_field_names if ours else {},
    )
    return values | {"name": values["name"] or conversation.name}


def _check(conn: Connection, name: str, body: str, reply_id: int | None) -> None:
    """Raises InvalidInput for a name that is taken, or a body that nothing can fill."""
    check_length("name", name.strip(), LONGEST_NAME, least=1)
    ours = read_our_numbers(conn).values()
    own = [each for number in ours for each in number.merge_field_names.values()]
    try:
        check_template(body, own)
    except InvalidInput as error:
        raise InvalidInput(str(error).replace("the reply", "the text"), field="body") from None
    for other in saved_replies.read_saved_replies(conn):
        if other.id != reply_id and other.name.casefold() == name.casefold():
            raise InvalidInput("another saved reply has this name", field="name")
