"""Signing in to the pages: by a link that opens once, by one's password, by ADMIN_PASSWORD."""

import hmac
import math
import secrets
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from app.domain.access.credentials import Actor, digest_secret, prove_password
from app.domain.access.members import check_member_name
from app.domain.access.passwords import is_outdated
from app.domain.access.throttle import Limit, list_limits
from app.domain.errors import Conflict, InvalidInput, TooManyTries, Unavailable
from app.flows.access.hash_passwords import PasswordHashing
from app.storage.access import members, sessions
from app.storage.access.audit import add_audit, add_failed_sign_in
from app.storage.access.members import Member
from app.storage.access.sessions import LoginLink, Session
from app.storage.db.database import Connection, Database

LINK_LIFE = timedelta(minutes=15)
SESSION_LIFE = timedelta(days=30)
MAX_USER_AGENT = 200


@dataclass(frozen=True, slots=True)
class SessionWithToken:
    """A session that has just begun, with its token, which is nowhere else in the clear.

    `is_new`: its member was made of the name that somebody typed beside ADMIN_PASSWORD.
    """

    session: Session
    token: str = field(repr=False)
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class Browser:
    """Where somebody signs in."""

    user_agent: str
    address: str


async def make_login_link(database: Database, name: str, *, who: str, now: datetime) -> str:
    """The token of a link that signs in once, within 15 minutes: the member of that name, or one
    with the role admin that is made when the link is used.

    Raises InvalidInput, and Conflict for a deactivated member.
    """
    token = secrets.token_urlsafe(32)
    name = check_member_name(name)

    def add(conn: Connection) -> None:
        found = members.find_member(conn, name)
        if found is not None and found.state == "deactivated":
            raise Conflict(f"{found.name} is deactivated: choose another name")
        sessions.add_login_link(
            conn,
            "login",
            name,
            member_id=None if found is None else found.id,
            digest=digest_secret(token),
            now=now,
            expires_at=now + LINK_LIFE,
        )
        add_audit(conn, who, "member.login-link", name, {}, now)

    await database.write(add)
    return token


async def find_login_link(database: Database, token: str, *, now: datetime) -> LoginLink | None:
    """Whom the link would sign in, without using it up; None where it can no longer be used."""
    return await database.read(sessions.find_login_link, digest_secret(token), now)


async def use_login_link(
    database: Database, token: str, *, browser: Browser, now: datetime
) -> SessionWithToken | None:
    """Begin a session for a link, which is used up by that; None for a used or old one."""

    def use(conn: Connection) -> SessionWithToken | None:
        link = sessions.use_login_link(conn, digest_secret(token), "login", now)
        member = None if link is None else _find_linked(conn, link, browser, now)
        return None if member is None else begin_session(conn, member, "login link", browser, now)

    return await database.write(use)


async def sign_in_by_password(
    database: Database,
    hashing: PasswordHashing,
    admin_password: str | None,
    given: str,
    *,
    name: str,
    browser: Browser,
    now: datetime,
) -> SessionWithToken:
    """Begin a session for a member who knows their password, or whoever knows ADMIN_PASSWORD.

    Raises InvalidInput for a wrong one, TooManyTries while they have to wait, and Conflict where
    the password is right but does not open this name.
    """
    name = check_member_name(name)
    limits = await count_attempt(database, name, browser.address, now)
    kept = await database.read(members.read_password_hash, name)
    is_own = await hashing.is_password(kept, given)
    is_shared = not is_own and _is_same(given, admin_password)
    if not is_own and not is_shared:
        await database.write(add_failed_sign_in, name, browser.address, now)
        raise InvalidInput("this is not the password", field="password")
    new_hash = await hashing.hash(given) if is_own and is_outdated(kept or "") else None

    def begin(conn: Connection) -> SessionWithToken:
        sessions.forgive(conn, limits)
        if is_shared:
            is_new = members.find_member(conn, name) is None
            taken = _take_name(conn, name, browser, now)
            begun = begin_session(
                conn, taken, "admin password", browser, now, admin_password=admin_password
            )
            return replace(begun, is_new=is_new)
        own = _check_active(members.get_member_called(conn, name))
        if new_hash is not None:
            members.set_password_hash(conn, own.id, new_hash)
        return begin_session(conn, own, "password", browser, now)

    return await database.write(begin)


async def find_session(
    database: Database, token: str, admin_password: str | None, *, now: datetime
) -> Session | None:
    """Who is signed in with that token; being used, a session lasts longer.

    One that was opened by another ADMIN_PASSWORD than this one has ended.
    """
    found = await database.read(sessions.find_session, digest_secret(token), now)
    if found is None or not _is_proved(found, token, admin_password):
        return None
    if found.seen_at < now - sessions.SEEN_STEP:
        with suppress(Unavailable):  # not important enough to delay a page
            await database.write(
                sessions.note_session_seen, found, now=now, expires_at=now + SESSION_LIFE
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
    """End every session of the member, this one too; returns how many they were."""

    def end(conn: Connection) -> int:
        count = sessions.remove_sessions_of(conn, session.member.id)
        add_audit(conn, who, "session.end_all", session.name, {"count": count}, now)
        return count

    return await database.write(end)


def begin_session(
    conn: Connection,
    member: Member,
    by: str,
    browser: Browser,
    now: datetime,
    *,
    admin_password: str | None = None,
) -> SessionWithToken:
    """`by` says in the audit trail what opened it; `admin_password` is given where that did."""
    token = secrets.token_urlsafe(32)
    session = sessions.add_session(
        conn,
        member.id,
        digest=digest_secret(token),
        proof=None if admin_password is None else prove_password(token, admin_password),
        user_agent=browser.user_agent[:MAX_USER_AGENT],
        address=browser.address,
        now=now,
        expires_at=now + SESSION_LIFE,
    )
    who = Actor(session.actor, browser.address)
    add_audit(conn, who, "session.begin", session.name, {"by": by}, now)
    return SessionWithToken(session, token)


async def count_attempt(
    database: Database, name: str, address: str, now: datetime
) -> tuple[Limit, ...]:
    """Count it as wrong until it turns out right. Raises TooManyTries."""
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
    return limits


def _find_linked(
    conn: Connection, link: LoginLink, browser: Browser, now: datetime
) -> Member | None:
    """Whom a login link signs in; None for a member who is deactivated."""
    if link.member_id is not None:
        found: Member | None = members.get_member(conn, link.member_id)
    else:
        found = members.find_member(conn, link.name)
    if found is None:
        return _add_admin(conn, link.name, "login link", browser, now)
    if found.state == "invited":
        return members.change_member(conn, found.id, {"state": "active"})
    return found if found.state == "active" else None


def _take_name(conn: Connection, name: str, browser: Browser, now: datetime) -> Member:
    """Who signs in under this name by ADMIN_PASSWORD, which several people may know.

    An admin without a password of their own, or a new one. Raises Conflict for the name of
    somebody else, under which nobody else may act.
    """
    found = members.find_member(conn, name)
    if found is None:
        return _add_admin(conn, name, "admin password", browser, now)
    if not found.is_admin or found.state == "invited":
        raise Conflict(
            f"{found.name} has an account of their own; choose another name to sign in"
            " with ADMIN_PASSWORD"
        )
    if found.has_password:
        raise Conflict(
            f"{found.name} has chosen a password, and ADMIN_PASSWORD no longer opens this name: use"
            " that one, or choose another name"
        )
    return _check_active(found)


def _add_admin(conn: Connection, name: str, by: str, browser: Browser, now: datetime) -> Member:
    added = members.add_member(conn, name, "admin", "active", now)
    who = Actor(added.actor, browser.address)
    detail = {"name": name, "role": "admin", "by": by}
    add_audit(conn, who, "member.add", str(added.id), detail, now)
    return added


def _check_active(member: Member) -> Member:
    if member.state != "active":
        raise Conflict(f"{member.name} is deactivated: ask an admin to activate the account again")
    return member


def _is_proved(session: Session, token: str, admin_password: str | None) -> bool:
    if session.proof is None:
        return True
    return admin_password is not None and hmac.compare_digest(
        session.proof, prove_password(token, admin_password)
    )


def _is_same(given: str, password: str | None) -> bool:
    return password is not None and hmac.compare_digest(
        digest_secret(given), digest_secret(password)
    )


def _describe(wait: timedelta) -> str:
    seconds = math.ceil(wait.total_seconds())
    if seconds > 90:
        return f"{math.ceil(seconds / 60)} minutes"
    return "1 second" if seconds == 1 else f"{seconds} seconds"
