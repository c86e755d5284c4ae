"""Who is signed in to the pages, the links that open a session, and passwords that were wrong."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, or_, select, text, update

from app.domain.access.throttle import FORGOTTEN, Failures, Limit, find_wait
from app.domain.inbound.messages import digest_texts
from app.storage.db.upserts import make_insert
from app.storage.tables.access import login_links, sessions, sign_in_failures

# A session's last use is kept to five minutes: not every page should be a write.
SEEN_STEP = timedelta(minutes=5)
KEPT_FAILURES = 10_000
ATTEMPTS_LOCK = 0x4C455454_50415353


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is signed in. `name` is what they are called in the audit trail.

    `proof` is of the password that opened it, None where a link did.
    """

    id: int
    name: str
    user_agent: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    proof: bytes | None = field(repr=False)

    @property
    def actor(self) -> str:
        """The name in the audit trail and in histories."""
        return f"session:{self.name}"


def add_session(
    conn: Connection,
    name: str,
    *,
    digest: bytes,
    proof: bytes | None,
    user_agent: str,
    now: datetime,
    expires_at: datetime,
) -> Session:
    """Begin a session, and delete ended ones."""
    conn.execute(delete(sessions).where(sessions.c.expires_at <= now))
    row = conn.execute(
        insert(sessions)
        .values(
            digest=digest,
            name=name,
            user_agent=user_agent,
            created_at=now,
            seen_at=now,
            expires_at=expires_at,
            proof=proof,
        )
        .returning(*sessions.c)
    ).one()
    return _make_session(row)


def find_session(conn: Connection, digest: bytes, now: datetime) -> Session | None:
    """The session that has not ended by itself, or None; whether its proof still holds is to be
    asked besides.
    """
    row = conn.execute(
        select(sessions).where(sessions.c.digest == digest, sessions.c.expires_at > now)
    ).first()
    return _make_session(row) if row else None


def note_session_seen(
    conn: Connection, session_id: int, *, now: datetime, expires_at: datetime
) -> None:
    conn.execute(
        update(sessions)
        .where(sessions.c.id == session_id, sessions.c.seen_at < now - SEEN_STEP)
        .values(seen_at=now, expires_at=expires_at)
    )


def remove_session(conn: Connection, session_id: int) -> None:
    conn.execute(delete(sessions).where(sessions.c.id == session_id))


def remove_sessions_of(conn: Connection, name: str) -> int:
    """End all sessions of that name; returns how many there were."""
    return conn.execute(delete(sessions).where(sessions.c.name == name)).rowcount


def add_login_link(
    conn: Connection, name: str, *, digest: bytes, now: datetime, expires_at: datetime
) -> None:
    """Keep a link's digest, and delete used and expired links."""
    conn.execute(delete(login_links).where(login_links.c.expires_at <= now))
    conn.execute(
        insert(login_links).values(digest=digest, name=name, created_at=now, expires_at=expires_at)
    )


def find_login_link(conn: Connection, digest: bytes, now: datetime) -> str | None:
    """Who would be signed in by a link that is still valid, or None."""
    query = select(login_links.c.name).where(*_is_good(digest, now))
    return conn.execute(query).scalar()


def use_login_link(conn: Connection, digest: bytes, now: datetime) -> str | None:
    """Use up a link: only one of two simultaneous callers gets the name."""
    query = (
        update(login_links)
        .where(*_is_good(digest, now))
        .values(used_at=now)
        .returning(login_links.c.name)
    )
    return conn.execute(query).scalar()


def has_signed_in(conn: Connection, name: str) -> bool:
    """Whether anyone is signed in under that name."""
    return (
        conn.execute(select(sessions.c.id).where(sessions.c.name == name).limit(1)).first()
        is not None
    )


def read_wait(conn: Connection, limits: Sequence[Limit], now: datetime) -> timedelta:
    """How long until their next password is checked."""
    wanted = {_digest(limit): limit for limit in limits}
    table = sign_in_failures.c
    query = select(table.who, table.count, table.last_at).where(
        table.who.in_(list(wanted)), table.last_at > now - FORGOTTEN
    )
    found = [(wanted[who], Failures(count, last_at)) for who, count, last_at in conn.execute(query)]
    return find_wait(found, now)


def count_attempt(conn: Connection, limits: Sequence[Limit], now: datetime) -> timedelta:
    """Count an attempt as wrong before its password is looked at, so that none at once escapes.

    Returns how long it has to wait; then it is not counted, and must not be looked at.
    """
    if conn.dialect.name == "postgresql":
        # Otherwise simultaneous attempts would not count each other.
        conn.execute(text(f"SELECT pg_advisory_xact_lock({ATTEMPTS_LOCK})"))
    wait = read_wait(conn, limits, now)
    if wait:
        return wait
    _forget_failures(conn, now)
    table = sign_in_failures.c
    for limit in limits:
        first = make_insert(conn, sign_in_failures).values(who=_digest(limit), count=1, last_at=now)
        again = {"count": table.count + 1, "last_at": now}
        conn.execute(first.on_conflict_do_update(index_elements=["who"], set_=again))
    return wait


def forgive(conn: Connection, limits: Sequence[Limit]) -> None:
    """The password was right: clear the failures counted for this attempt and the name."""
    table = sign_in_failures.c
    own = [_digest(limit) for limit in limits if limit.who[0] in {"pair", "name"}]
    conn.execute(delete(sign_in_failures).where(table.who.in_(own)))
    others = [_digest(limit) for limit in limits]
    conn.execute(
        update(sign_in_failures).where(table.who.in_(others)).values(count=table.count - 1)
    )


def _forget_failures(conn: Connection, now: datetime) -> None:
    """Those of yesterday, and the oldest beyond the limit."""
    table = sign_in_failures.c
    newest = select(table.who).order_by(table.last_at.desc()).offset(KEPT_FAILURES)
    conn.execute(
        delete(sign_in_failures).where(or_(table.last_at <= now - FORGOTTEN, table.who.in_(newest)))
    )


def _digest(limit: Limit) -> bytes:
    return digest_texts("sign-in", *limit.who)


def _is_good(digest: bytes, now: datetime) -> tuple[Any, ...]:
    return (
        login_links.c.digest == digest,
        login_links.c.used_at.is_(None),
        login_links.c.expires_at > now,
    )


def _make_session(row: Row[Any]) -> Session:
    return Session(
        row.id,
        row.name,
        row.user_agent,
        row.created_at,
        row.seen_at,
        row.expires_at,
        row.proof,
    )
