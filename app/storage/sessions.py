"""Who is signed in to the pages, the links that open a session, and passwords that were wrong."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, text, update

from app.storage.session_tables import login_links, password_attempts, sessions

# A session's last use is kept to five minutes: not every page should be a write.
SEEN_STEP = timedelta(minutes=5)
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
        """Who it is in the audit trail and in histories."""
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
    """Begin a session, and forget those that have ended."""
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
    """End one; again changes nothing."""
    conn.execute(delete(sessions).where(sessions.c.id == session_id))


def remove_sessions_of(conn: Connection, name: str) -> int:
    """End all of that name; returns how many there were."""
    return conn.execute(delete(sessions).where(sessions.c.name == name)).rowcount


def add_login_link(
    conn: Connection, name: str, *, digest: bytes, now: datetime, expires_at: datetime
) -> None:
    """Keep a link's digest, and forget links that are of no use any more."""
    conn.execute(delete(login_links).where(login_links.c.expires_at <= now))
    conn.execute(
        insert(login_links).values(digest=digest, name=name, created_at=now, expires_at=expires_at)
    )


def find_login_link(conn: Connection, digest: bytes, now: datetime) -> str | None:
    """Whom a link that can still be used would sign in, or None."""
    query = select(login_links.c.name).where(*_is_good(digest, now))
    return conn.execute(query).scalar()


def use_login_link(conn: Connection, digest: bytes, now: datetime) -> str | None:
    """Use a link up: of two who do at once, one alone gets the name."""
    query = (
        update(login_links)
        .where(*_is_good(digest, now))
        .values(used_at=now)
        .returning(login_links.c.name)
    )
    return conn.execute(query).scalar()


def note_password_attempt(
    conn: Connection, address: str, *, now: datetime, window: timedelta
) -> tuple[int, int, int]:
    """Count an attempt before its password is looked at, so that none at once escapes.

    Returns its id, and how many attempts there were within the window before it: from that address
    and from all.
    """
    since = now - window
    if conn.dialect.name == "postgresql":
        # Else those who try at once would not count each other.
        conn.execute(text(f"SELECT pg_advisory_xact_lock({ATTEMPTS_LOCK})"))
    conn.execute(delete(password_attempts).where(password_attempts.c.tried_at <= since))
    everybody = conn.execute(select(func.count()).select_from(password_attempts)).scalar_one()
    here = conn.execute(
        select(func.count())
        .select_from(password_attempts)
        .where(password_attempts.c.address == address)
    ).scalar_one()
    attempt_id = conn.execute(
        insert(password_attempts)
        .values(address=address, tried_at=now)
        .returning(password_attempts.c.id)
    ).scalar_one()
    return attempt_id, here, everybody


def forget_password_attempt(conn: Connection, attempt_id: int) -> None:
    """It was right, or was not looked at."""
    conn.execute(delete(password_attempts).where(password_attempts.c.id == attempt_id))


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
