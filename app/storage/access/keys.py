"""The keys that open the REST interface, kept as digests."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, or_, select, update

from app.domain.access.credentials import Scope
from app.domain.errors import NotFound
from app.storage.tables.access import api_keys

# A key's last use is kept to the minute: not every request should be a write.
LAST_USED_STEP = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class ApiKey:
    id: int
    name: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    last_used_at: datetime | None


def add_key(
    conn: Connection, name: str, *, digest: bytes, scopes: Sequence[Scope], now: datetime
) -> ApiKey:
    row = conn.execute(
        insert(api_keys)
        .values(name=name, digest=digest, scopes=" ".join(scopes), created_at=now)
        .returning(*api_keys.c)
    ).one()
    return _make_key(row)


def find_key(conn: Connection, digest: bytes) -> ApiKey | None:
    row = conn.execute(select(api_keys).where(api_keys.c.digest == digest)).first()
    return _make_key(row) if row else None


def get_key(conn: Connection, key_id: int) -> ApiKey:
    """Raises NotFound."""
    row = conn.execute(select(api_keys).where(api_keys.c.id == key_id)).first()
    if row is None:
        raise NotFound("no such key; it may have been revoked")
    return _make_key(row)


def lock_key(conn: Connection, key_id: int) -> ApiKey:
    """Lock the key until the transaction ends. Raises NotFound."""
    conn.execute(select(api_keys.c.id).where(api_keys.c.id == key_id).with_for_update())
    return get_key(conn, key_id)


def list_keys(conn: Connection, *, before: int | None, limit: int) -> list[ApiKey]:
    """Newest first."""
    query = select(api_keys).order_by(api_keys.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(api_keys.c.id < before)
    return [_make_key(row) for row in conn.execute(query)]


def change_key(
    conn: Connection, key_id: int, *, name: str | None, scopes: Sequence[Scope] | None
) -> ApiKey:
    """Raises NotFound."""
    changes: dict[str, Any] = {}
    if name is not None:
        changes["name"] = name
    if scopes is not None:
        changes["scopes"] = " ".join(scopes)
    if changes:
        conn.execute(update(api_keys).where(api_keys.c.id == key_id).values(**changes))
    return get_key(conn, key_id)


def remove_key(conn: Connection, key_id: int) -> None:
    """Raises NotFound."""
    if conn.execute(delete(api_keys).where(api_keys.c.id == key_id)).rowcount == 0:
        raise NotFound("no such key; it may have been revoked")


def note_key_used(conn: Connection, key_id: int, now: datetime) -> None:
    used = api_keys.c.last_used_at
    conn.execute(
        update(api_keys)
        .where(api_keys.c.id == key_id, or_(used.is_(None), used < now - LAST_USED_STEP))
        .values(last_used_at=now)
    )


def _make_key(row: Row[Any]) -> ApiKey:
    scopes: tuple[Scope, ...] = tuple(row.scopes.split())
    return ApiKey(row.id, row.name, scopes, row.created_at, row.last_used_at)
