"""Drafts: what somebody has begun to write in a conversation, or as a new message."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, delete, select, tuple_

from app.storage.db.upserts import make_insert
from app.storage.tables.conversations import drafts

# The place of the draft of a new message: no conversation has this id.
NEW_MESSAGE = 0
KEPT = timedelta(days=30)


def save_draft(
    conn: Connection, conversation_id: int, owner: str, fields: Mapping[str, str], now: datetime
) -> datetime | None:
    """Replace the owner's draft there; returns when it was last saved, None if it is new."""
    before = select(drafts.c.updated_at).where(*_is_at(conversation_id, owner))
    saved_at: datetime | None = conn.execute(before).scalar()
    statement = make_insert(conn, drafts).values(
        conversation_id=conversation_id, owner=owner, fields=dict(fields), updated_at=now
    )
    changed = {name: statement.excluded[name] for name in ("fields", "updated_at")}
    conn.execute(
        statement.on_conflict_do_update(index_elements=["conversation_id", "owner"], set_=changed)
    )
    return saved_at


def get_draft(conn: Connection, conversation_id: int, owner: str) -> Mapping[str, str]:
    """The fields of the owner's draft there; none if there is none."""
    query = select(drafts.c.fields).where(*_is_at(conversation_id, owner))
    found: Mapping[str, str] | None = conn.execute(query).scalar()
    return found or {}


def remove_draft(conn: Connection, conversation_id: int, owner: str) -> bool:
    """Whether there was one."""
    return bool(conn.execute(delete(drafts).where(*_is_at(conversation_id, owner))).rowcount)


def list_writers(
    conn: Connection, conversation_id: int, *, besides: str, since: datetime
) -> Sequence[str]:
    """The others whose draft there was saved later than that."""
    table = drafts.c
    query = select(table.owner).where(
        table.conversation_id == conversation_id, table.owner != besides, table.updated_at > since
    )
    return conn.execute(query.order_by(table.owner)).scalars().all()


def forget_old_drafts(conn: Connection, now: datetime, *, limit: int) -> int:
    """Delete up to `limit` drafts that nobody touched for 30 days; returns how many."""
    table = drafts.c
    old = (
        select(table.conversation_id, table.owner)
        .where(table.updated_at <= now - KEPT)
        .order_by(table.updated_at)
        .limit(limit)
    )
    gone = delete(drafts).where(tuple_(table.conversation_id, table.owner).in_(old))
    return conn.execute(gone).rowcount


def _is_at(conversation_id: int, owner: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return (drafts.c.conversation_id == conversation_id, drafts.c.owner == owner)
