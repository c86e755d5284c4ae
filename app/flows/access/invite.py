"""Invites members: a link that opens once, by which they choose a password and are signed in.

A member who has lost their password gets such a link as well.
"""

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from app.domain.access.credentials import Actor, digest_secret
from app.domain.access.members import Role, check_member_name
from app.domain.access.passwords import check_password
from app.domain.errors import Conflict
from app.flows.access.hash_passwords import PasswordHashing
from app.flows.access.sign_in import Browser, SessionWithToken, begin_session, find_login_link
from app.storage.access import members, sessions
from app.storage.access.audit import add_audit
from app.storage.access.members import Member
from app.storage.db.database import Connection, Database

INVITATION_LIFE = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Invitation:
    """A member and the token of their link, which is nowhere else in the clear."""

    member: Member
    token: str = field(repr=False)
    expires_at: datetime


async def invite(
    database: Database, name: str, role: Role, *, who: str, now: datetime
) -> Invitation:
    """Add a member who can sign in once they have opened the link.

    Raises InvalidInput for a name that cannot be read, Conflict for one that somebody has.
    """
    name = check_member_name(name)

    def add(conn: Connection) -> Invitation:
        member = members.add_member(conn, name, role, "invited", now)
        add_audit(conn, who, "member.invite", str(member.id), {"name": name, "role": role}, now)
        return _add_link(conn, member, now)

    return await database.write(add)


async def renew_link(database: Database, member_id: int, *, who: str, now: datetime) -> Invitation:
    """A new link for a member, who chooses a new password by it; earlier links open nothing.

    Raises NotFound, and Conflict for a deactivated member.
    """

    def renew(conn: Connection) -> Invitation:
        member = members.lock_member(conn, member_id)
        if member.state == "deactivated":
            raise Conflict(f"{member.name} is deactivated: activate the account first")
        sessions.remove_login_links_of(conn, member.id)
        add_audit(conn, who, "member.link", str(member.id), {"name": member.name}, now)
        return _add_link(conn, member, now)

    return await database.write(renew)


async def accept_invitation(
    database: Database,
    hashing: PasswordHashing,
    token: str,
    password: str,
    *,
    browser: Browser,
    now: datetime,
) -> SessionWithToken | None:
    """Set the password and begin a session; None for a link that was used or is old.

    Whoever is signed in as the member elsewhere is signed out. Raises InvalidInput for a password
    that could be guessed; the link can then be used again.
    """
    check_password(password)
    if await find_login_link(database, token, now=now) is None:
        return None
    password_hash = await hashing.hash(password)

    def accept(conn: Connection) -> SessionWithToken | None:
        link = sessions.use_login_link(conn, digest_secret(token), "invitation", now)
        if link is None or link.member_id is None:
            return None
        members.set_password_hash(conn, link.member_id, password_hash)
        member = members.change_member(conn, link.member_id, {"state": "active"})
        sessions.remove_sessions_of(conn, member.id)
        who = Actor(member.actor, browser.address)
        add_audit(conn, who, "member.password", str(member.id), {"by": "invitation"}, now)
        return begin_session(conn, member, "invitation", browser, now)

    return await database.write(accept)


def write_link(base: str, token: str) -> str:
    """The address that a token opens: below PUBLIC_URL, whatever a request's Host says."""
    return f"{base}/sign-in?link={token}"


def _add_link(conn: Connection, member: Member, now: datetime) -> Invitation:
    token = secrets.token_urlsafe(32)
    expires_at = now + INVITATION_LIFE
    sessions.add_login_link(
        conn,
        "invitation",
        member.name,
        member_id=member.id,
        digest=digest_secret(token),
        now=now,
        expires_at=expires_at,
    )
    return Invitation(member, token, expires_at)
