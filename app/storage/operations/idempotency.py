"""The answers that an Idempotency-Key gives again, kept for a day."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, select, text, tuple_

from app.domain.errors import CutOff, InFlight, ReusedKey
from app.domain.inbound.messages import digest_texts
from app.storage.db.upserts import make_insert
from app.storage.tables.operations import idempotency_keys

KEPT = timedelta(hours=24)
# Longer than any request: a key without an answer by then belongs to a process that died.
CUT_OFF = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A request to be done once: `owner`'s `value`, and a digest of the request."""

    owner: str
    value: str
    digest: bytes = field(repr=False)


def lock_key(conn: Connection, key: IdempotencyKey, now: datetime) -> Mapping[str, Any] | None:
    """The first answer, or None where this is the first request, which holds the key from here on.

    Raises ReusedKey, and InFlight where another transaction holds the key at this moment.
    """
    if conn.dialect.name == "postgresql":
        digest = digest_texts("idempotency", key.owner, key.value)
        number = int.from_bytes(digest[:8], "big", signed=True)
        lock = text("SELECT pg_try_advisory_xact_lock(:number)")
        if not conn.execute(lock, {"number": number}).scalar_one():
            raise InFlight("the first request with this Idempotency-Key is not done yet")
    return find_answer(conn, key, now)


def find_answer(conn: Connection, key: IdempotencyKey, now: datetime) -> Mapping[str, Any] | None:
    """The first answer; None where there is none, or none any more.

    Raises ReusedKey, InFlight while the first request is answered, and CutOff if it never was.
    """
    table = idempotency_keys.c
    query = select(table.request_digest, table.answer, table.created_at).where(
        table.owner == key.owner, table.key == key.value, table.created_at > now - KEPT
    )
    row = conn.execute(query).first()
    if row is None:
        return None
    if row.request_digest != key.digest:
        raise ReusedKey(
            "this key came with another request before: make a new one for each request",
            field="Idempotency-Key",
        )
    answer: Mapping[str, Any] | None = row.answer
    if answer is None and row.created_at > now - CUT_OFF:
        raise InFlight("the first request with this Idempotency-Key is not done yet")
    if answer is None:
        raise CutOff(
            "the first request with this Idempotency-Key was cut off, so nobody knows whether the"
            " provider has done it: look there, then use a new key"
        )
    return answer


def claim_key(conn: Connection, key: IdempotencyKey, now: datetime) -> Mapping[str, Any] | None:
    """Hold the key for something that no transaction can hold: `keep_answer` or `release_key`
    follows. The first answer where there is one; raises as `lock_key` and `find_answer` do.
    """
    known = lock_key(conn, key, now)
    if known is None:
        keep_answer(conn, key, None, now)
    return known


def release_key(conn: Connection, key: IdempotencyKey) -> None:
    """Nothing was done: the key can be used again."""
    table = idempotency_keys.c
    conn.execute(
        delete(idempotency_keys).where(
            table.owner == key.owner,
            table.key == key.value,
            table.request_digest == key.digest,
        )
    )


def keep_answer(
    conn: Connection, key: IdempotencyKey, answer: Mapping[str, Any] | None, now: datetime
) -> None:
    """Written with what was done, so that neither is ever there without the other.

    None while it is being done.
    """
    statement = make_insert(conn, idempotency_keys).values(
        owner=key.owner,
        key=key.value,
        request_digest=key.digest,
        answer=None if answer is None else dict(answer),
        created_at=now,
    )
    # The existing row is older than a day.
    changed = ("request_digest", "answer", "created_at")
    conn.execute(
        statement.on_conflict_do_update(
            index_elements=["owner", "key"],
            set_={name: statement.excluded[name] for name in changed},
        )
    )


def forget_old_answers(conn: Connection, now: datetime, *, limit: int) -> int:
    """Delete up to `limit` answers that are older than a day; returns how many."""
    table = idempotency_keys.c
    old = (
        select(table.owner, table.key)
        .where(table.created_at <= now - KEPT)
        .order_by(table.created_at)
        .limit(limit)
    )
    gone = delete(idempotency_keys).where(tuple_(table.owner, table.key).in_(old))
    return conn.execute(gone).rowcount
