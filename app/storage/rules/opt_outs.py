"""Who wants no texts from any of our numbers: each number's state, and the texts it cancels."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, and_, delete, func, insert, or_, select, update

from app.domain.errors import NotFound
from app.domain.inbound.messages import make_number_key
from app.domain.outbound.states import OutboundStatus
from app.domain.rules.opt_outs import OptOutState
from app.storage.db.upserts import make_insert
from app.storage.operations.erasures.erasures import digest_number
from app.storage.tables.outbound import outbound, status_changes
from app.storage.tables.rules import opt_outs

Reason = Literal["keyword", "provider", "person"]

SOURCE = "opt-out"


@dataclass(frozen=True, slots=True)
class OptOut:
    """`created_at` is when its owner said so, `text` how, `message_id` in which message.

    `number` is "" where it was erased: only a keyed digest is left, by which the opt-out holds.
    """

    id: int
    number: str
    reason: str
    text: str
    message_id: int | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class OptOutRecord(OptOut):
    """What is kept of a number that ever opted out: not `is_out` if it has opted back in."""

    is_out: bool


@dataclass(frozen=True, slots=True)
class OptOutChange:
    """A number's new state; `text` is what its owner wrote, or a person's reason."""

    number: str
    text: str
    state: OptOutState


_COLUMNS = [opt_outs.c[each.name] for each in fields(OptOut)]


def is_opted_out(conn: Connection, number: str) -> bool:
    """Whether a text to this number is refused; asked again when a send is claimed."""
    return number in find_opted_out(conn, [number])


def find_opted_out(conn: Connection, numbers: Iterable[str]) -> frozenset[str]:
    """Which of the numbers are out."""
    keys = _make_keys(conn, numbers)
    if not keys:
        return frozenset()
    query = select(opt_outs.c.number_key).where(opt_outs.c.number_key.in_(keys), opt_outs.c.is_out)
    return frozenset(keys[key] for key in conn.execute(query).scalars())


def _make_keys(conn: Connection, numbers: Iterable[str]) -> dict[bytes, str]:
    """What may stand for each number: its key, or what is left of it once it was erased."""
    keys = {}
    for number in set(numbers):
        keys[make_number_key(number)] = number
        erased = digest_number(conn, number)
        if erased is not None:
            keys[erased] = number
    return keys


def name_again(conn: Connection, numbers: Iterable[str]) -> None:
    """Name the erased ones among these numbers in their opt-outs: they are stored again now.

    What is said next, and whatever looks for a number's opt-out in a join, finds one entry then.
    """
    keys = {digest_number(conn, number): number for number in set(numbers)}
    known = [each for each in keys if each is not None]
    if not known:
        return
    table = opt_outs.c
    found = select(table.number_key).where(table.number_key.in_(known), table.number == "")
    for key in sorted(conn.execute(found).scalars()):
        named = make_number_key(keys[key])
        # Said while the number was being erased: the erased one is out, which holds.
        conn.execute(delete(opt_outs).where(table.number_key == named))
        mine = update(opt_outs).where(table.number_key == key)
        conn.execute(mine.values(number=keys[key], number_key=named))


def read_opt_out_states(conn: Connection, numbers: Iterable[str]) -> dict[str, OptOutState]:
    """The state of each number that ever opted out; those that opted back in as well."""
    table = opt_outs.c
    query = select(table.number_key, table.is_out, table.reason, table.created_at, table.message_id)
    keys = _make_keys(conn, numbers)
    found = conn.execute(query.where(table.number_key.in_(keys)))
    return {
        keys[row.number_key]: OptOutState(
            row.is_out, row.reason, row.created_at, row.message_id or 0
        )
        for row in found
    }


def add_opt_out_changes(conn: Connection, changes: Iterable[OptOutChange]) -> list[int]:
    """Keep the newest state of each number, by (said_at, message id), whatever comes in last.

    Returns the ids of the rows that changed, whose events the caller adds.
    """
    newest: dict[bytes, OptOutChange] = {}
    for new in changes:
        key = make_number_key(new.number)
        if key not in newest or newest[key].state.is_older_than(new.state):
            newest[key] = new
    if not newest:
        return []
    name_again(conn, [each.number for each in newest.values()])
    # Sorted, so that two workers cannot wait for each other.
    statement = make_insert(conn, opt_outs).values(
        [_make_row(key, new) for key, new in sorted(newest.items())]
    )
    old, excluded = opt_outs.c, statement.excluded
    is_newer = or_(
        excluded.created_at > old.created_at,
        and_(
            excluded.created_at == old.created_at,
            func.coalesce(excluded.message_id, 0) >= func.coalesce(old.message_id, 0),
        ),
    )
    changed = ("is_out", "reason", "text", "message_id", "created_at")
    upsert = statement.on_conflict_do_update(
        index_elements=["number_key"],
        set_={name: excluded[name] for name in changed},
        where=is_newer,
    )
    return list(conn.execute(upsert.returning(opt_outs.c.id)).scalars())


def add_opt_out(
    conn: Connection, number: str, *, reason: Reason, text: str, now: datetime
) -> list[int]:
    """Opt a number out; if it is out already, its reason stays.

    Returns the ids of the texts that this cancels, whose events the caller adds.
    """
    name_again(conn, [number])
    if not is_opted_out(conn, number):
        add_opt_out_changes(conn, [OptOutChange(number, text, OptOutState(True, reason, now, 0))])
    return cancel_texts(conn, number, now)


def keep_opt_out(conn: Connection, number: str, said: OptOutState) -> None:
    """Opt an erased number out without naming it again, unless something newer is known of it."""
    known = read_opt_out_states(conn, [number]).get(number)
    if known is None:
        row = _make_row(digest_number(conn, number) or b"", OptOutChange("", "", said))
        conn.execute(insert(opt_outs).values(row))
    elif not known.is_out and known.is_older_than(said):
        add_opt_out_changes(conn, [OptOutChange(number, "", said)])


def note_refused_numbers(conn: Connection, answers: Mapping[str, str], now: datetime) -> list[int]:
    """Opt out the numbers that the provider blacklists; `answers` is what it said of each.

    If a number is out already, its reason stays. The caller cancels the texts that wait for it, and
    adds the events of the opt-outs whose ids this returns.
    """
    known = find_opted_out(conn, answers)
    refused = OptOutState(True, "provider", now, 0)
    return add_opt_out_changes(
        conn, [OptOutChange(each, answers[each], refused) for each in answers if each not in known]
    )


def remove_opt_out(conn: Connection, number: str, *, now: datetime) -> OptOut:
    """Opt a number back in; returns the opt-out that was. Raises NotFound."""
    name_again(conn, [number])
    found = get_opt_out(conn, number)
    conn.execute(
        update(opt_outs)
        .where(opt_outs.c.number_key == make_number_key(number))
        .values(is_out=False, reason="person", text="", message_id=None, created_at=now)
    )
    return found


def cancel_texts(
    conn: Connection, number: str, now: datetime, *, but: Collection[int] = ()
) -> list[int]:
    """Cancel the texts that wait for a number, except the one that confirms its opt-out; ids.

    Texts that a sender has locked are skipped, because it checks again before it sends; so are the
    ids in `but`. The number must have been opted out before, so that locks are taken in one order.
    """
    waiting = (
        select(outbound.c.id)
        .where(
            outbound.c.to_key == make_number_key(number),
            outbound.c.status.in_([OutboundStatus.QUEUED, OutboundStatus.HELD]),
            outbound.c.origin != "opt-out",
            outbound.c.id.not_in(but),
        )
        .with_for_update(skip_locked=True)
    )
    ids = list(conn.execute(waiting).scalars())
    if not ids:
        return []
    conn.execute(
        update(outbound)
        .where(outbound.c.id.in_(ids))
        .values(
            status=OutboundStatus.CANCELLED,
            held_reason=None,
            settled_at=now,
            settled_reason="the number opted out",
        )
    )
    changes = {"status": OutboundStatus.CANCELLED, "source": SOURCE, "changed_at": now}
    conn.execute(insert(status_changes), [{"outbound_id": each, **changes} for each in ids])
    return ids


def list_opt_outs(
    conn: Connection, *, number: str | None = None, before: int | None, limit: int
) -> list[OptOut]:
    """Numbers that are out, newest first."""
    query = select(*_COLUMNS).where(opt_outs.c.is_out).order_by(opt_outs.c.id.desc()).limit(limit)
    if number is not None:
        query = query.where(opt_outs.c.number_key.in_(_make_keys(conn, [number])))
    if before is not None:
        query = query.where(opt_outs.c.id < before)
    found = [OptOut(*row) for row in conn.execute(query)]
    # Whoever asks for a number knows it.
    return found if number is None else [replace(each, number=number) for each in found]


def get_opt_out_records(conn: Connection, ids: Iterable[int]) -> dict[int, OptOutRecord]:
    """By id; those that do not exist are missing."""
    columns = [opt_outs.c[each.name] for each in fields(OptOutRecord)]
    query = select(*columns).where(opt_outs.c.id.in_(list(ids)))
    return {row.id: OptOutRecord(*row) for row in conn.execute(query)}


def get_opt_out(conn: Connection, number: str) -> OptOut:
    """Raises NotFound if the number is not out."""
    found = list_opt_outs(conn, number=number, before=None, limit=1)
    if not found:
        raise NotFound(f"{number} has not opted out")
    return found[0]


def _make_row(key: bytes, new: OptOutChange) -> Mapping[str, Any]:
    return {
        "number_key": key,
        "number": new.number,
        "is_out": new.state.is_out,
        "reason": new.state.reason,
        "text": new.text,
        "message_id": new.state.message_id or None,
        "created_at": new.state.said_at,
    }
