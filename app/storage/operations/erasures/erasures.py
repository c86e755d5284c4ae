"""Numbers that were erased, or are being erased, known by keyed digests."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from app.domain.errors import NotFound
from app.storage.db.keyed_digests import make_keyed_digest
from app.storage.tables.erasures import erasures


@dataclass(frozen=True, slots=True)
class Erasure:
    """`tail` are the number's last three digits, `removed` the counts by place.

    `obstacle` says why it is not finished, and is None afterwards; `scan` is None until then.
    """

    id: int
    tail: str
    asked_by: str
    asked_at: datetime
    finished_at: datetime | None
    obstacle: str | None
    removed: Mapping[str, Mapping[str, int]]
    scan: Mapping[str, Any] | None

    @property
    def state(self) -> str:
        return "running" if self.finished_at is None else "done"


_TABLE = erasures.c
_COLUMNS = [_TABLE[each.name] for each in fields(Erasure)]


def digest_number(conn: Connection, number: str) -> bytes | None:
    """What stands for an erased number in the database; None where the key is not known."""
    return make_keyed_digest(conn, "number", number)


def add_erasure(
    conn: Connection, number: str, sealed: bytes, *, who: str, now: datetime
) -> Erasure:
    """Begin one, or find the one of that number that is not finished."""
    digest = digest_number(conn, number)
    if digest is None:
        raise RuntimeError("the key of erased numbers is not loaded")
    same = (_TABLE.number_digest == digest) & _TABLE.finished_at.is_(None)
    row = conn.execute(select(*_COLUMNS).where(same)).first()
    if row is not None:
        return Erasure(*row)
    values = {
        "number_digest": digest,
        "tail": number[-3:],
        "sealed": sealed,
        "asked_by": who,
        "asked_at": now,
        "removed": {},
    }
    return Erasure(*conn.execute(insert(erasures).values(values).returning(*_COLUMNS)).one())


def get_erasure(conn: Connection, erasure_id: int) -> Erasure:
    """Raises NotFound."""
    row = conn.execute(select(*_COLUMNS).where(_TABLE.id == erasure_id)).first()
    if row is None:
        raise NotFound("no such erasure")
    return Erasure(*row)


def list_erasures(conn: Connection, *, before: int | None, limit: int) -> list[Erasure]:
    """Newest first."""
    query = select(*_COLUMNS).order_by(_TABLE.id.desc()).limit(limit)
    if before is not None:
        query = query.where(_TABLE.id < before)
    return [Erasure(*row) for row in conn.execute(query)]


def list_unfinished(conn: Connection) -> list[tuple[int, bytes]]:
    """The ids and sealed numbers of those that are not finished, oldest first."""
    query = select(_TABLE.id, _TABLE.sealed).where(_TABLE.finished_at.is_(None))
    return [(row.id, row.sealed) for row in conn.execute(query.order_by(_TABLE.id))]


def count_unfinished(conn: Connection) -> int:
    query = select(func.count()).where(_TABLE.finished_at.is_(None))
    return conn.execute(query).scalar_one()


def note_removed(
    conn: Connection, erasure_id: int, removed: Mapping[str, Mapping[str, int]]
) -> None:
    """Add to what an erasure has removed so far, by place: in the transaction that removes it."""
    mine = _TABLE.id == erasure_id
    query = select(_TABLE.removed).where(mine).with_for_update()
    so_far = {name: dict(counts) for name, counts in conn.execute(query).scalar_one().items()}
    for name, counts in removed.items():
        known = so_far.setdefault(name, {})
        for what, count in counts.items():
            known[what] = known.get(what, 0) + count
    conn.execute(update(erasures).where(mine).values(removed=so_far))


def note_obstacle(conn: Connection, erasure_id: int, obstacle: str) -> None:
    """Say why it has to go on later."""
    conn.execute(update(erasures).where(_TABLE.id == erasure_id).values(obstacle=obstacle))


def finish_erasure(
    conn: Connection, erasure_id: int, scan: Mapping[str, Any], now: datetime
) -> Erasure:
    """Forget the number itself, and keep what the scan found."""
    done = {"sealed": None, "obstacle": None, "scan": dict(scan), "finished_at": now}
    changed = update(erasures).where(_TABLE.id == erasure_id).values(done)
    return Erasure(*conn.execute(changed.returning(*_COLUMNS)).one())


def find_erased(conn: Connection, numbers: Iterable[str]) -> dict[str, datetime]:
    """When each of these numbers was last erased; those that never were are missing."""
    digests = {digest_number(conn, number): number for number in set(numbers)}
    known: Sequence[bytes] = [each for each in digests if each is not None]
    if not known:
        return {}
    query = select(_TABLE.number_digest, func.max(_TABLE.finished_at)).where(
        _TABLE.number_digest.in_(known), _TABLE.finished_at.is_not(None)
    )
    found = conn.execute(query.group_by(_TABLE.number_digest))
    return {digests[row[0]]: row[1] for row in found}
