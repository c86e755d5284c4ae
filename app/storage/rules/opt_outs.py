"""Who wants no texts from any of our numbers: each number's last word, and what it cancels."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, and_, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from app.domain.errors import NotFound
from app.domain.inbound.messages import make_number_key
from app.domain.outbound.states import OutboundStatus
from app.domain.rules.opt_outs import OptOutState
from app.storage.tables.outbound import outbound, status_changes
from app.storage.tables.rules import opt_outs

Reason = Literal["keyword", "provider", "person"]

SOURCE = "opt-out"


@dataclass(frozen=True, slots=True)
class OptOut:
    """`created_at` is when the number said so, `text` in what words; `message_id` where it did."""

    id: int
    number: str
    reason: str
    text: str
    message_id: int | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class OptOutChange:
    """What a number says now; `text` are its words, or a person's reason."""

    number: str
    text: str
    word: OptOutState


_COLUMNS = (
    opt_outs.c.id,
    opt_outs.c.number,
    opt_outs.c.reason,
    opt_outs.c.text,
    opt_outs.c.message_id,
    opt_outs.c.created_at,
)


def is_opted_out(conn: Connection, number: str) -> bool:
    """Whether a text to this number is refused; asked again when a send is claimed."""
    return number in find_opted_out(conn, [number])


def find_opted_out(conn: Connection, numbers: Iterable[str]) -> frozenset[str]:
    """Those of the numbers that are out."""
    keys = [make_number_key(number) for number in set(numbers)]
    if not keys:
        return frozenset()
    query = select(opt_outs.c.number).where(opt_outs.c.number_key.in_(keys), opt_outs.c.is_out)
    return frozenset(conn.execute(query).scalars())


def read_last_words(conn: Connection, numbers: Iterable[str]) -> dict[str, OptOutState]:
    """What each number said last, as far as it ever said something."""
    keys = [make_number_key(number) for number in set(numbers)]
    return {row.number: _make_word(row) for row in _select_words(conn, keys)}


def add_opt_out_changes(conn: Connection, words: Iterable[OptOutChange]) -> None:
    """Keep the newest word of each number, by (said_at, message id), whatever comes in last."""
    newest: dict[bytes, OptOutChange] = {}
    for new in words:
        key = make_number_key(new.number)
        if key not in newest or newest[key].word.is_older_than(new.word):
            newest[key] = new
    if not newest:
        return
    dialect = postgresql if conn.dialect.name == "postgresql" else sqlite
    # In one order for all, so that two workers cannot wait for each other.
    statement = dialect.insert(opt_outs).values(
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
    conn.execute(
        statement.on_conflict_do_update(
            index_elements=["number_key"],
            set_={name: excluded[name] for name in changed},
            where=is_newer,
        )
    )


def add_opt_out(
    conn: Connection, number: str, *, reason: Reason, text: str, now: datetime
) -> list[int]:
    """Take a number out by a person's word.

    Returns the ids of the texts that this cancels: whoever calls it adds their events. Where the
    number is out already its reason stays.
    """
    if not is_opted_out(conn, number):
        add_opt_out_changes(conn, [OptOutChange(number, text, OptOutState(True, reason, now, 0))])
    return cancel_texts(conn, number, now)


def note_refused_numbers(conn: Connection, answers: Mapping[str, str], now: datetime) -> None:
    """The provider has these numbers on its blacklist; `answers` are its words for each.

    Where a number is out already its reason stays. What waits for it is the caller's to cancel.
    """
    known = find_opted_out(conn, answers)
    refused = OptOutState(True, "provider", now, 0)
    add_opt_out_changes(
        conn, [OptOutChange(each, answers[each], refused) for each in answers if each not in known]
    )


def remove_opt_out(conn: Connection, number: str, *, now: datetime) -> OptOut:
    """Bring a number back by a person's word; returns what was. Raises NotFound."""
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
    """Cancel what waits to go out to a number, but for the text that confirms its opt-out.

    What a sender holds at this moment is passed over: it asks again before it sends. So are the
    ids in `but`. Whoever calls it has put the number on the list before: in this order nobody who
    holds a text waits for the list, and the other way round. Returns ids.
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
    """Those who are out, newest first."""
    query = select(*_COLUMNS).where(opt_outs.c.is_out).order_by(opt_outs.c.id.desc()).limit(limit)
    if number is not None:
        query = query.where(opt_outs.c.number_key == make_number_key(number))
    if before is not None:
        query = query.where(opt_outs.c.id < before)
    return [OptOut(*row) for row in conn.execute(query)]


def get_opt_out(conn: Connection, number: str) -> OptOut:
    """Raises NotFound where the number is not out."""
    found = list_opt_outs(conn, number=number, before=None, limit=1)
    if not found:
        raise NotFound(f"{number} has not opted out")
    return found[0]


def _select_words(conn: Connection, keys: Sequence[bytes]) -> Iterable[Row[Any]]:
    table = opt_outs.c
    query = select(table.number, table.is_out, table.reason, table.created_at, table.message_id)
    return conn.execute(query.where(table.number_key.in_(keys)))


def _make_word(row: Row[Any]) -> OptOutState:
    return OptOutState(row.is_out, row.reason, row.created_at, row.message_id or 0)


def _make_row(key: bytes, new: OptOutChange) -> Mapping[str, Any]:
    return {
        "number_key": key,
        "number": new.number,
        "is_out": new.word.is_out,
        "reason": new.word.reason,
        "text": new.text,
        "message_id": new.word.message_id or None,
        "created_at": new.word.said_at,
    }
