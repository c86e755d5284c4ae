"""Signing in to the pages and out of them: links that open once, the password, sessions."""

import hmac
import math
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from app.domain.access.credentials import Actor, digest_secret, prove_password
from app.domain.access.throttle import list_limits
from app.domain.errors import InvalidInput, TooManyTries, Unavailable
from app.storage.access import sessions
from app.storage.access.audit import add_audit, add_failed_sign_in
from app.storage.access.sessions import Session
from app.storage.db.database import Connection, Database

LINK_LIFE = timedelta(minutes=15)
SESSION_LIFE = timedelta(days=30)
MAX_NAME = 60
MAX_USER_AGENT = 200


@dataclass(frozen=True, slots=True)
class SessionWithToken:
    """A session that has just begun, with its token, which is nowhere else in the clear."""

    session: Session
    token: str = field(repr=False)


async def make_login_link(database: Database, name: str, *, now: datetime) -> str:
    """The token of a link that signs in once, within 15 minutes. Raises InvalidInput."""
    token = secrets.token_urlsafe(32)
    await database.write(
        sessions.add_login_link,
        _check_name(name),
        digest=digest_secret(token),
        now=now,
        expires_at=now + LINK_LIFE,
    )
    return token


async def find_login_link(database: Database, token: str, *, now: datetime) -> str | None:
    """Whom the link would sign in, without using it up; None where it can no longer be used."""
    return await database.read(sessions.find_login_link, digest_secret(token), now)


async def use_login_link(
    database: Database, token: str, *, user_agent: str, address: str, now: datetime
) -> SessionWithToken | None:
    """Begin a session for a link, which is used up by that; None for a used or old one."""

    def use(conn: Connection) -> SessionWithToken | None:
        name = sessions.use_login_link(conn, digest_secret(token), now)
        return None if name is None else _begin(conn, name, None, user_agent, address, now)

    return await database.write(use)


async def sign_in_by_password(
    database: Database,
    password: str,
    given: str,
    *,
    name: str,
    address: str,
    user_agent: str,
    now: datetime,
) -> SessionWithToken:
    """Begin a session for someone who knows the password.

    Raises InvalidInput for a wrong one, and TooManyTries while they have to wait.
    """
    name = _check_name(name)
    limits = list_limits(name, address, is_known=await database.read(sessions.has_signed_in, name))
    # Attempts that must wait should not cause writes.
    wait = await database.read(sessions.read_wait, limits, now)
    wait = wait or await database.write(sessions.count_attempt, limits, now)
    if wait:
        raise TooManyTries(
            f"too many wrong passwords: wait {_describe(wait)}, or run `letterbox login-link` on"
            " the machine that Letterbox runs on",
            wait,
        )
    if not hmac.compare_digest(digest_secret(given), digest_secret(password)):
        await database.write(add_failed_sign_in, name, address, now)
        raise InvalidInput("this is not the password", field="password")

    def begin(conn: Connection) -> SessionWithToken:
        sessions.forgive(conn, limits)
        return _begin(conn, name, password, user_agent, address, now)

    return await database.write(begin)


async def find_session(
    database: Database, token: str, password: str | None, *, now: datetime
) -> Session | None:
    """Who is signed in with that token; being used, a session lasts longer.

    One that was opened by another password than this one, which is the pages' now, has ended.
    """
    found = await database.read(sessions.find_session, digest_secret(token), now)
    if found is None or not _is_proved(found, token, password):
        return None
    if found.seen_at < now - sessions.SEEN_STEP:
        with suppress(Unavailable):  # not important enough to delay a page
            await database.write(
                sessions.note_session_seen, found.id, now=now, expires_at=now + SESSION_LIFE
            )
    return found


async def sign_out(database: Database, session: Session, *, who: str, now: datetime) -> None:
    """End the session."""

    def end(conn: Connection) -> None:
        sessions.remove_session(conn, session.id)
        add_audit(conn, who, "session.end", session.name, {}, now)

    await database.write(end)


async def sign_out_everywhere(
    database: Database, session: Session, *, who: str, now: datetime
) -> int:
    """End every session of that name, this one too; returns how many they were."""

    def end(conn: Connection) -> int:
        count = sessions.remove_sessions_of(conn, session.name)
        add_audit(conn, who, "session.end_all", session.name, {"count": count}, now)
        return count

    return await database.write(end)


def _is_proved(session: Session, token: str, password: str | None) -> bool:
    if session.proof is None:
        return True
    return password is not None and hmac.compare_digest(
        session.proof, prove_password(token, password)
    )


def _begin(
    conn: Connection,
    name: str,
    password: str | None,
    user_agent: str,
    address: str,
    now: datetime,
) -> SessionWithToken:
    """`password` is the one that opens it, None where a link does."""
    token = secrets.token_urlsafe(32)
    session = sessions.add_session(
        conn,
        name,
        digest=digest_secret(token),
        proof=None if password is None else prove_password(token, password),
        user_agent=user_agent[:MAX_USER_AGENT],
        now=now,
        expires_at=now + SESSION_LIFE,
    )
    by = "login link" if password is None else "password"
    add_audit(conn, Actor(session.actor, address), "session.begin", name, {"by": by}, now)
    return SessionWithToken(session, token)


def _describe(wait: timedelta) -> str:
    seconds = math.ceil(wait.total_seconds())
    if seconds > 90:
        return f"{math.ceil(seconds / 60)} minutes"
    return "1 second" if seconds == 1 else f"{seconds} seconds"


def _check_name(name: str) -> str:
    """Raises InvalidInput for a name that nobody could read in the audit trail."""
    name = " ".join(name.split())
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise InvalidInput(f"write a name of 1 to {MAX_NAME} characters", field="name")
    return name
