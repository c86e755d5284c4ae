"""Updates rows that an older release wrote, when it read numbers and texts differently."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, bindparam, delete, select, update

from app.domain.inbound.messages import make_provider_key
from app.domain.keywords import fold_text
from app.domain.rules.opt_outs import OptOutState
from app.storage.db.writes import Writes
from app.storage.inbound.text_search import fold_before, refold_body
from app.storage.rules.opt_outs import OptOutChange, add_opt_out_changes, cancel_texts
from app.storage.tables.conversations import conversations
from app.storage.tables.inbound import message_index, messages
from app.storage.tables.operations import refills
from app.storage.tables.rules import opt_outs

Name = Literal["folding", "numbers", "opt-outs", "provider-ids", "outbound-words"]
Read = Callable[[str], str]

# Limits of a step: on SQLite nobody else can write meanwhile.
LOOKED_AT = 1000
CHANGED = 100


@dataclass(frozen=True, slots=True)
class Step:
    """Rows to change; `position` is the newest that waits before the step, `rest` after it."""

    position: int
    rest: int
    ids: Sequence[int]


def find_position(conn: Connection, name: Name) -> int | None:
    """The newest row that waits; None if all are done."""
    query = select(refills.c.position).where(refills.c.name == name)
    return conn.execute(query).scalar()


def move_position(conn: Connection, name: Name, old: int, new: int) -> bool:
    """Note a step; False if another process has taken it."""
    mine = (refills.c.name == name, refills.c.position == old)
    changed = update(refills).where(*mine).values(position=new)
    return conn.execute(delete(refills).where(*mine) if new < 1 else changed).rowcount > 0


def find_unfolded(conn: Connection) -> Step | None:
    """Messages indexed by an older folding of their text."""
    position = find_position(conn, "folding")
    if position is None:
        return None
    query = (
        select(message_index.c.message_id, messages.c.body)
        .join(messages, messages.c.id == message_index.c.message_id)
        .where(message_index.c.message_id <= position)
        .order_by(message_index.c.message_id.desc())
        .limit(LOOKED_AT)
    )
    rest, ids = 0, []
    found = conn.execute(query).all()
    for row in found:
        rest = row.message_id - 1
        if fold_before(row.body) != fold_text(row.body):
            ids.append(row.message_id)
        if len(ids) == CHANGED:
            break
    is_last = len(found) < LOOKED_AT and len(ids) < CHANGED
    return Step(position, 0 if is_last else rest, ids)


def refold(conn: Connection, step: Step) -> None:
    """Index these messages by the current folding."""
    if not move_position(conn, "folding", step.position, step.rest):
        return
    writes = Writes()
    query = select(messages.c.id, messages.c.body).where(messages.c.id.in_(step.ids))
    for row in conn.execute(query).all():
        refold_body(conn, writes, row.id, row.body)
    writes.run(conn)


def index_provider_ids(conn: Connection) -> bool:
    """Index some older messages by the provider's id; False if all are done."""
    position = find_position(conn, "provider-ids")
    if position is None:
        return False
    query = (
        select(messages.c.id, messages.c.provider_id)
        .join(message_index, message_index.c.message_id == messages.c.id)
        .where(messages.c.id <= position)
        .order_by(messages.c.id.desc())
        .limit(CHANGED)
    )
    found = conn.execute(query).all()
    rest = found[-1].id - 1 if len(found) == CHANGED else 0
    if move_position(conn, "provider-ids", position, rest):
        keys = [
            {"row": row.id, "key": make_provider_key(row.provider_id)}
            for row in found
            if row.provider_id
        ]
        if keys:
            mine = message_index.c.message_id == bindparam("row")
            conn.execute(
                update(message_index).where(mine).values(provider_key=bindparam("key")), keys
            )
    return True


def find_misread(conn: Connection, read: Read) -> Step | None:
    """The newest conversation whose numbers are read differently now, with messages of it."""
    position = find_position(conn, "numbers")
    if position is None:
        return None
    table = conversations.c
    query = select(table.id, table.dest, table.source).where(table.id <= position)
    found = conn.execute(query.order_by(table.id.desc()).limit(LOOKED_AT)).all()
    for row in found:
        if (read(row.dest), read(row.source)) != (row.dest, row.source):
            mine = message_index.c.conversation_id == row.id
            ids = select(message_index.c.message_id).where(mine)
            ids = ids.order_by(message_index.c.message_id).limit(CHANGED)
            return Step(position, row.id - 1, list(conn.execute(ids).scalars()))
    return Step(position, found[-1].id - 1 if len(found) == LOOKED_AT else 0, [])


def note_moved(conn: Connection, step: Step) -> None:
    """Stay at a conversation that has more messages; leave one whose messages cannot move."""
    conversation_id = step.rest + 1
    has_moved = False
    if len(step.ids) == CHANGED:
        first = message_index.c.message_id == step.ids[0]
        where = conn.execute(select(message_index.c.conversation_id).where(first)).scalar()
        has_moved = where != conversation_id
    move_position(conn, "numbers", step.position, conversation_id if has_moved else step.rest)


def correct_opt_outs(conn: Connection, read: Read) -> list[int] | None:
    """Correct the numbers of some opt-outs; None if all are done.

    Returns the ids of the texts that this cancels, whose events the caller adds.
    """
    position = find_position(conn, "opt-outs")
    if position is None:
        return None
    query = select(opt_outs).where(opt_outs.c.id <= position).order_by(opt_outs.c.id.desc())
    found = conn.execute(query.limit(LOOKED_AT)).all()
    rest = found[-1].id - 1 if len(found) == LOOKED_AT else 0
    cancelled: list[int] = []
    if not move_position(conn, "opt-outs", position, rest):
        return cancelled
    for row in found:
        number = read(row.number)
        if number != row.number:
            state = OptOutState(row.is_out, row.reason, row.created_at, row.message_id or 0)
            add_opt_out_changes(conn, [OptOutChange(number, row.text, state)])
            conn.execute(delete(opt_outs).where(opt_outs.c.id == row.id))
            if row.is_out:
                cancelled += cancel_texts(conn, number, row.created_at)
    return cancelled
