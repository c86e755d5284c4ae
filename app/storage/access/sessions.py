"""Who is signed in to the pages, the links that open a session, and passwords that were wrong."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, Row, Select, delete, insert, or_, select, text, update

from app.domain.access.members import make_name_key
from app.domain.access.throttle import FORGOTTEN, Failures, Limit, find_wait
from app.domain.errors import NotFound
from app.domain.inbound.messages import digest_texts
from app.storage.access.members import Member, make_member, note_member_seen
from app.storage.db.upserts import make_insert
from app.storage.tables.access import login_links, members, sessions, sign_in_failures

# A login link signs in, an invitation lets a member choose a password first.
LinkKind = Literal["login", "invitation"]

# A session's last use is kept to five minutes: not every page should be a write.
SEEN_STEP = timedelta(minutes=5)
KEPT_FAILURES = 10_000
ATTEMPTS_LOCK = 0x4C455454_50415353


@dataclass(frozen=True, slots=True)
class Session:
    """A browser in which a member is signed in; `address` is where it began.

    `proof` is of ADMIN_PASSWORD if that opened it, else None.
    """

    id: int
    member: Member
    user_agent: str
    address: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    proof: bytes | None = field(repr=False)

    @property
    def name(self) -> str:
        """What the member is called."""
        return self.member.name

    @property
    def actor(self) -> str:
        """Who it is in the audit trail and in histories."""
        return self.member.actor


@dataclass(frozen=True, slots=True)
class LoginLink:
    """Whom a link signs in; `member_id` is None where a member is made of the name."""

    kind: LinkKind
    name: str
    member_id: int | None


def add_session(
    conn: Connection,
    member_id: int,
    *,
    digest: bytes,
    proof: bytes | None,
    user_agent: str,
    address: str,
    now: datetime,
    expires_at: datetime,
) -> Session:
    """Begin a session, and delete ended ones."""
    conn.execute(delete(sessions).where(sessions.c.expires_at <= now))
    note_member_seen(conn, member_id, now)
    conn.execute(
        insert(sessions).values(
            digest=digest,
            member_id=member_id,
            user_agent=user_agent,
            address=address,
            created_at=now,
            seen_at=now,
            expires_at=expires_at,
            proof=proof,
        )
    )
    row = conn.execute(_select_sessions().where(sessions.c.digest == digest)).one()
    return _make_session(row)


def find_session(conn: Connection, digest: bytes, now: datetime) -> Session | None:
    """The session of an active member that has not ended by itself, or None; whether its proof
    still holds is to be asked besides.
    """
    query = _select_sessions().where(
        sessions.c.digest == digest, sessions.c.expires_at > now, members.c.state == "active"
    )
    row = conn.execute(query).first()
    return _make_session(row) if row else None


def list_sessions(
    conn: Connection,
    *,
    now: datetime,
    member_id: int | None = None,
    before: int | None = None,
    limit: int,
) -> list[Session]:
    """Newest first; of one member or of all."""
    query = _select_sessions().where(sessions.c.expires_at > now)
    if member_id is not None:
        query = query.where(sessions.c.member_id == member_id)
    if before is not None:
        query = query.where(sessions.c.id < before)
    rows = conn.execute(query.order_by(sessions.c.id.desc()).limit(limit))
    return [_make_session(row) for row in rows]


def get_session(conn: Connection, session_id: int) -> Session:
    """Raises NotFound."""
    row = conn.execute(_select_sessions().where(sessions.c.id == session_id)).first()
    if row is None:
        raise NotFound("this session has ended")
    return _make_session(row)


def note_session_seen(
    conn: Connection, session: Session, *, now: datetime, expires_at: datetime
) -> None:
    noted = conn.execute(
        update(sessions)
        .where(sessions.c.id == session.id, sessions.c.seen_at < now - SEEN_STEP)
        .values(seen_at=now, expires_at=expires_at)
    )
    if noted.rowcount:
        note_member_seen(conn, session.member.id, now)


def remove_session(conn: Connection, session_id: int) -> None:
    conn.execute(delete(sessions).where(sessions.c.id == session_id))


def remove_sessions_of(conn: Connection, member_id: int, *, besides: int | None = None) -> int:
    """End all sessions of that member but the one `besides`; returns how many there were."""
    query = delete(sessions).where(sessions.c.member_id == member_id)
    if besides is not None:
        query = query.where(sessions.c.id != besides)
    return conn.execute(query).rowcount


def add_login_link(
    conn: Connection,
    kind: LinkKind,
    name: str,
    *,
    member_id: int | None,
    digest: bytes,
    now: datetime,
    expires_at: datetime,
) -> None:
    """Keep a link's digest, and delete used and expired links."""
    conn.execute(delete(login_links).where(login_links.c.expires_at <= now))
    conn.execute(
        insert(login_links).values(
            digest=digest,
            kind=kind,
            name=name,
            member_id=member_id,
            created_at=now,
            expires_at=expires_at,
        )
    )


def find_login_link(conn: Connection, digest: bytes, now: datetime) -> LoginLink | None:
    """Whom a link that is still valid would sign in, or None."""
    row = conn.execute(select(login_links).where(*_is_good(digest, now))).first()
    return LoginLink(row.kind, row.name, row.member_id) if row else None


def use_login_link(
    conn: Connection, digest: bytes, kind: LinkKind, now: datetime
) -> LoginLink | None:
    """Use up a link of that kind: only one of two simultaneous callers gets it."""
    query = (
        update(login_links)
        .where(login_links.c.kind == kind, *_is_good(digest, now))
        .values(used_at=now)
        .returning(*login_links.c)
    )
    row = conn.execute(query).first()
    return LoginLink(row.kind, row.name, row.member_id) if row else None


def remove_login_links_of(conn: Connection, member_id: int) -> None:
    """None of the member's links can be used any more."""
    conn.execute(delete(login_links).where(login_links.c.member_id == member_id))


def has_signed_in(conn: Connection, name: str) -> bool:
    """Whether anyone is signed in under that name."""
    query = select(sessions.c.id).join(members).where(members.c.name_key == make_name_key(name))
    return conn.execute(query.limit(1)).first() is not None


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


def _select_sessions() -> Select[Any]:
    """Each with its member, whose columns have a prefix: both tables have an id."""
    named = [column.label(f"member_{column.name}") for column in members.c]
    return select(*(column for column in sessions.c if column.name != "member_id"), *named).join(
        members
    )


def _make_session(row: Row[Any]) -> Session:
    return Session(
        row.id,
        make_member(row, "member_"),
        row.user_agent,
        row.address,
        row.created_at,
        row.seen_at,
        row.expires_at,
        row.proof,
    )
