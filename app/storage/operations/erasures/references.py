"""What points at messages that are removed: replies, opt-outs, and what webhooks were sent."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, func, or_, select, update

from app.domain.ids import encode_id
from app.storage.tables.inbound import messages
from app.storage.tables.outbound import outbound
from app.storage.tables.rules import opt_outs
from app.storage.tables.webhooks import webhook_deliveries

ERASED_DELIVERY = "what it was about has been erased"
_ABOUT_MESSAGES = ("message.received", "message.handled")


def list_copies(conn: Connection, message_id: int) -> list[int]:
    """The message, and the ones that repeat it or that it repeats: they are one text."""
    table = messages.c
    mine = select(table.duplicate_of).where(table.id == message_id).scalar_subquery()
    same = or_(table.id == message_id, table.duplicate_of == message_id, table.id == mine)
    return list(conn.execute(select(table.id).where(same).order_by(table.id)).scalars())


def cut_references(conn: Connection, message_ids: Sequence[int]) -> None:
    """Let nothing that stays point at these messages, or repeat what they said."""
    replies = update(outbound).where(outbound.c.in_reply_to.in_(message_ids))
    conn.execute(replies.values(in_reply_to=None))
    said = update(opt_outs).where(opt_outs.c.message_id.in_(message_ids))
    conn.execute(said.values(message_id=None, text=""))


def empty_deliveries_of(
    conn: Connection, message_ids: Sequence[int], conversation_ids: Sequence[int]
) -> None:
    """Empty what webhooks were sent, or wait to be sent, of these messages."""
    table = webhook_deliveries.c
    keys = [f"conversation {each}" for each in conversation_ids]
    named = [
        func.instr(table.body, f'"{encode_id("msg", each)}"') > 0
        if conn.dialect.name == "sqlite"
        else func.strpos(table.body, f'"{encode_id("msg", each)}"') > 0
        for each in message_ids
    ]
    about = table.type.in_(_ABOUT_MESSAGES) & table.order_key.in_(keys) & or_(*named)
    empty_deliveries(conn, about)


def empty_deliveries(conn: Connection, which: ColumnElement[bool]) -> int:
    """Empty the bodies of deliveries; those that wait fail. Returns how many there were."""
    table = webhook_deliveries.c
    waiting = which & (table.state == "waiting")
    failed = {"state": "failed", "due_at": None, "error": ERASED_DELIVERY}
    conn.execute(update(webhook_deliveries).where(waiting).values(failed))
    emptied = update(webhook_deliveries).where(which).values(body="", answer="")
    return conn.execute(emptied).rowcount
