"""Saved replies: texts that people insert, with placeholders for whom they write to."""

from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select, update

from app.domain.errors import NotFound
from app.storage.tables.outbound import saved_replies


@dataclass(frozen=True, slots=True)
class SavedReply:
    """`body` is a template, as a rule's reply is."""

    id: int
    name: str
    body: str
    created_at: datetime
    updated_at: datetime


_COLUMNS = [saved_replies.c[each.name] for each in fields(SavedReply)]


def list_saved_replies(conn: Connection, *, before: int | None, limit: int) -> list[SavedReply]:
    """Newest first."""
    query = select(*_COLUMNS).order_by(saved_replies.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(saved_replies.c.id < before)
    return [SavedReply(*row) for row in conn.execute(query)]


def read_saved_replies(conn: Connection) -> list[SavedReply]:
    """All of them, by name."""
    query = select(*_COLUMNS).order_by(func.lower(saved_replies.c.name), saved_replies.c.id)
    return [SavedReply(*row) for row in conn.execute(query)]


def get_saved_reply(conn: Connection, reply_id: int) -> SavedReply:
    """Raises NotFound."""
    row = conn.execute(select(*_COLUMNS).where(saved_replies.c.id == reply_id)).first()
    if row is None:
        raise NotFound("no such saved reply")
    return SavedReply(*row)


def count_saved_replies(conn: Connection) -> int:
    return conn.execute(select(func.count()).select_from(saved_replies)).scalar_one()


def add_saved_reply(conn: Connection, name: str, body: str, now: datetime) -> SavedReply:
    values = {"name": name, "body": body, "created_at": now, "updated_at": now}
    statement = insert(saved_replies).values(values).returning(saved_replies.c.id)
    return get_saved_reply(conn, conn.execute(statement).scalar_one())


def change_saved_reply(
    conn: Connection, reply_id: int, name: str, body: str, now: datetime
) -> SavedReply:
    conn.execute(
        update(saved_replies)
        .where(saved_replies.c.id == reply_id)
        .values(name=name, body=body, updated_at=now)
    )
    return get_saved_reply(conn, reply_id)


def remove_saved_reply(conn: Connection, reply_id: int) -> None:
    conn.execute(delete(saved_replies).where(saved_replies.c.id == reply_id))
