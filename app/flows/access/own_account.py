"""What members do with their own account: another password, and the end of a session."""

from datetime import datetime

from app.domain.access.passwords import check_password
from app.domain.errors import InvalidInput, NotFound
from app.flows.access.hash_passwords import PasswordHashing
from app.flows.access.sign_in import count_attempt
from app.storage.access import members, sessions
from app.storage.access.audit import add_audit
from app.storage.access.sessions import Session
from app.storage.db.database import Connection, Database


async def change_password(
    database: Database,
    hashing: PasswordHashing,
    session: Session,
    current: str,
    new: str,
    *,
    who: str,
    address: str,
    now: datetime,
) -> int:
    """Set a password, and end the member's other sessions; returns how many those were.

    Raises InvalidInput for one that could be guessed, or where `current` is not the member's
    password, if they have one; TooManyTries after too many wrong ones.
    """
    check_password(new)
    limits = None
    if session.member.has_password:
        limits = await count_attempt(database, session.name, address, now)
        kept = await database.read(members.read_password_hash, session.name)
        if not await hashing.is_password(kept, current):
            raise InvalidInput("this is not your password", field="current")
    password_hash = await hashing.hash(new)

    def change(conn: Connection) -> int:
        if limits is not None:
            sessions.forgive(conn, limits)
        members.set_password_hash(conn, session.member.id, password_hash)
        sessions.remove_login_links_of(conn, session.member.id)
        ended = sessions.remove_sessions_of(conn, session.member.id, besides=session.id)
        add_audit(conn, who, "member.password", str(session.member.id), {"by": "account"}, now)
        return ended

    return await database.write(change)


async def end_session(
    database: Database, session_id: int, *, by: Session, who: str, now: datetime
) -> Session:
    """End a session of one's own; admins may end anyone's. Raises NotFound for others'."""

    def end(conn: Connection) -> Session:
        found = sessions.get_session(conn, session_id)
        if found.member.id != by.member.id and not by.member.is_admin:
            raise NotFound("this session has ended")
        sessions.remove_session(conn, found.id)
        detail = {"of_another": True} if found.member.id != by.member.id else {}
        add_audit(conn, who, "session.end", found.name, detail, now)
        return found

    return await database.write(end)
