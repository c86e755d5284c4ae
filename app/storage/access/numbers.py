"""Our virtual numbers and the auth values that the provider passes through for each."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from app.domain.access.credentials import Admission, AuthValue
from app.domain.errors import Conflict, NotFound
from app.storage.tables.access import number_auths, numbers, revisions

ADMISSION = "admission"
# Too short for anyone to paste a value into the provider's page and see that no text arrives.
JUST_MADE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class NumberAuth:
    """An auth value without the value itself."""

    id: int
    created_at: datetime
    last_seen_at: datetime | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Number:
    """One virtual number; `merge_field_names` are the owner's names for "1" to "5"."""

    id: int
    number: str
    label: str
    merge_field_names: dict[str, str]
    opt_out_reply: str | None
    created_at: datetime
    auth: tuple[NumberAuth, ...]


def read_admission(conn: Connection) -> Admission:
    """The numbers and auth values that `/inbound` needs."""
    rows = conn.execute(
        select(
            number_auths.c.id, numbers.c.number, number_auths.c.digest, number_auths.c.expires_at
        ).join(numbers)
    )
    values = {row.digest: AuthValue(row.id, row.number, row.digest, row.expires_at) for row in rows}
    known = frozenset(conn.execute(select(numbers.c.number)).scalars())
    return Admission(read_revision(conn), known, values)


def read_revision(conn: Connection) -> int:
    """How often numbers and auth values have changed so far."""
    query = select(revisions.c.revision).where(revisions.c.name == ADMISSION)
    revision: int = conn.execute(query).scalar_one()
    return revision


def list_numbers(conn: Connection, *, before: int | None, limit: int) -> list[Number]:
    """Newest first."""
    query = select(numbers).order_by(numbers.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(numbers.c.id < before)
    rows = conn.execute(query).all()
    auths = _read_auths(conn, [row.id for row in rows])
    return [_make_number(row, auths.get(row.id, [])) for row in rows]


def find_configured(conn: Connection, wanted: Iterable[str]) -> set[str]:
    """Which of these are our numbers."""
    query = select(numbers.c.number).where(numbers.c.number.in_(list(wanted)))
    return set(conn.execute(query).scalars())


def get_number(conn: Connection, number: str) -> Number:
    """Raises NotFound."""
    row = conn.execute(select(numbers).where(numbers.c.number == number)).first()
    if row is None:
        raise NotFound(f"no number {number} is configured")
    return _make_number(row, _read_auths(conn, [row.id]).get(row.id, []))


def lock_number(conn: Connection, number: str) -> Number:
    """Lock the number until the transaction ends. Raises NotFound."""
    conn.execute(select(numbers.c.id).where(numbers.c.number == number).with_for_update())
    return get_number(conn, number)


def add_number(
    conn: Connection,
    number: str,
    *,
    label: str,
    merge_field_names: dict[str, str],
    opt_out_reply: str | None,
    digest: bytes,
    now: datetime,
) -> Number:
    """A number with its first auth value. Raises Conflict if it exists already."""
    row = insert(numbers).values(
        number=number,
        label=label,
        merge_field_names=merge_field_names,
        opt_out_reply=opt_out_reply,
        created_at=now,
    )
    try:
        number_id = conn.execute(row.returning(numbers.c.id)).scalar_one()
    except IntegrityError:
        raise Conflict(f"the number {number} is configured already") from None
    conn.execute(insert(number_auths).values(number_id=number_id, digest=digest, created_at=now))
    _count_change(conn)
    return get_number(conn, number)


def change_number(conn: Connection, number: str, changes: Mapping[str, Any]) -> Number:
    """Set the columns that `changes` names. Raises NotFound."""
    found = get_number(conn, number)
    if changes:
        conn.execute(update(numbers).where(numbers.c.id == found.id).values(**changes))
        _count_change(conn)
    return get_number(conn, number)


def remove_number(conn: Connection, number: str) -> None:
    """Removes its auth values as well; its messages stay. Raises NotFound."""
    found = get_number(conn, number)
    conn.execute(delete(numbers).where(numbers.c.id == found.id))
    _count_change(conn)


def rotate_auth(
    conn: Connection, number: str, *, digest: bytes, now: datetime, expires_at: datetime
) -> Number:
    """A new auth value; the one in use stays valid until `expires_at`, all others end."""
    # Of two at once, the second must see what the first has written.
    found = lock_number(conn, number)
    kept = _find_kept(found.auth, now)
    conn.execute(
        delete(number_auths).where(
            number_auths.c.number_id == found.id, number_auths.c.id.not_in(kept)
        )
    )
    conn.execute(
        update(number_auths)
        .where(number_auths.c.number_id == found.id)
        .values(expires_at=expires_at)
    )
    conn.execute(insert(number_auths).values(number_id=found.id, digest=digest, created_at=now))
    _count_change(conn)
    return get_number(conn, number)


def _find_kept(auths: Sequence[NumberAuth], now: datetime) -> Sequence[int]:
    """Which of the values, newest first, the provider has: mostly the newest.

    One that was just made and has never been seen is a form's that was sent twice: what the
    provider forwards with then is the one before, and to end that would lose texts.
    """
    live = [auth for auth in auths if auth.expires_at is None or auth.expires_at > now]
    used = [auth for auth in live if auth.last_seen_at is not None]
    if used and live[0].last_seen_at is None and live[0].created_at > now - JUST_MADE:
        live = used
    return [auth.id for auth in live[:1]]


def note_auths_seen(conn: Connection, seen: Mapping[int, datetime]) -> None:
    """Remember when each auth value (by id) last admitted a forward."""
    for auth_id, seen_at in sorted(seen.items()):
        conn.execute(
            update(number_auths).where(number_auths.c.id == auth_id).values(last_seen_at=seen_at)
        )


def _count_change(conn: Connection) -> None:
    conn.execute(
        update(revisions)
        .where(revisions.c.name == ADMISSION)
        .values(revision=revisions.c.revision + 1)
    )


def _read_auths(conn: Connection, ids: Iterable[int]) -> dict[int, list[NumberAuth]]:
    query = (
        select(number_auths)
        .where(number_auths.c.number_id.in_(list(ids)))
        .order_by(number_auths.c.id.desc())
    )
    found: dict[int, list[NumberAuth]] = {}
    for row in conn.execute(query):
        auth = NumberAuth(row.id, row.created_at, row.last_seen_at, row.expires_at)
        found.setdefault(row.number_id, []).append(auth)
    return found


def _make_number(row: Row[Any], auths: list[NumberAuth]) -> Number:
    return Number(
        row.id,
        row.number,
        row.label,
        row.merge_field_names,
        row.opt_out_reply,
        row.created_at,
        tuple(auths),
    )
