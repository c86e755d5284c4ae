"""The members: who may use the pages, in which role."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from app.domain.access.members import (
    MemberState,
    Role,
    describe_actor,
    find_actor_member,
    make_name_key,
    write_actor,
)
from app.domain.errors import Conflict, NotFound
from app.storage.tables.access import members


@dataclass(frozen=True, slots=True)
class Member:
    """`last_seen_at` is to five minutes; `has_password` says whether they chose one."""

    id: int
    name: str
    role: Role
    state: MemberState
    has_password: bool
    created_at: datetime
    last_seen_at: datetime | None

    @property
    def actor(self) -> str:
        """As the audit trail and histories name them."""
        return write_actor(self.id)

    @property
    def is_admin(self) -> bool:
        return self.role == "admin"


def add_member(
    conn: Connection, name: str, role: Role, state: MemberState, now: datetime
) -> Member:
    """Raises Conflict where somebody has the name already, in whatever case."""
    values = {
        "name": name,
        "name_key": make_name_key(name),
        "role": role,
        "state": state,
        "created_at": now,
    }
    try:
        row = conn.execute(insert(members).values(values).returning(*members.c)).one()
    except IntegrityError:
        raise _refuse_taken(name) from None
    return make_member(row)


def get_member(conn: Connection, member_id: int) -> Member:
    """Raises NotFound."""
    row = conn.execute(select(members).where(members.c.id == member_id)).first()
    if row is None:
        raise NotFound("there is no such member")
    return make_member(row)


def find_member(conn: Connection, name: str) -> Member | None:
    """The member of that name, in whatever case."""
    row = conn.execute(select(members).where(members.c.name_key == make_name_key(name))).first()
    return make_member(row) if row else None


def get_member_called(conn: Connection, name: str) -> Member:
    """The same. Raises NotFound."""
    found = find_member(conn, name)
    if found is None:
        raise NotFound(f"there is no member called {name}")
    return found


def lock_member(conn: Connection, member_id: int) -> Member:
    """Lock the member, and all active admins, until the transaction ends. Raises NotFound.

    Two admins who deactivate each other at once must not both succeed.
    """
    admins = (members.c.role == "admin") & (members.c.state == "active")
    both = admins | (members.c.id == member_id)
    conn.execute(select(members.c.id).where(both).order_by(members.c.id).with_for_update())
    return get_member(conn, member_id)


def has_other_admin(conn: Connection, member_id: int) -> bool:
    """Whether another active member is an admin."""
    table = members.c
    query = select(table.id).where(
        table.role == "admin", table.state == "active", table.id != member_id
    )
    return conn.execute(query.limit(1)).first() is not None


def list_members(
    conn: Connection, *, state: MemberState | None = None, before: int | None, limit: int
) -> list[Member]:
    """Newest first."""
    query = select(members).order_by(members.c.id.desc()).limit(limit)
    if state is not None:
        query = query.where(members.c.state == state)
    if before is not None:
        query = query.where(members.c.id < before)
    return [make_member(row) for row in conn.execute(query)]


def list_active_members(conn: Connection) -> list[Member]:
    """By name: those to whom something can be assigned."""
    query = select(members).where(members.c.state == "active").order_by(members.c.name_key)
    return [make_member(row) for row in conn.execute(query)]


def read_member_names(conn: Connection, ids: Iterable[int] | None = None) -> dict[int, str]:
    """The names of these members, or of all; unknown ids are missing."""
    query = select(members.c.id, members.c.name)
    if ids is not None:
        query = query.where(members.c.id.in_(set(ids)))
    return {row.id: row.name for row in conn.execute(query)}


def name_actor(conn: Connection, actor: str) -> str:
    """Who did something, for people: `Ada`, `a program (shop)`."""
    member_id = find_actor_member(actor)
    names = {} if member_id is None else read_member_names(conn, [member_id])
    return describe_actor(actor, names)


def change_member(conn: Connection, member_id: int, changes: Mapping[str, Any]) -> Member:
    """Set `name`, `role` and `state` as far as they are named. Raises Conflict and NotFound."""
    values = dict(changes)
    if "name" in values:
        values["name_key"] = make_name_key(values["name"])
    if values:
        try:
            conn.execute(update(members).where(members.c.id == member_id).values(values))
        except IntegrityError:
            raise _refuse_taken(values["name"]) from None
    return get_member(conn, member_id)


def read_password_hash(conn: Connection, name: str) -> str | None:
    """Of the member of that name; None if there is none, or they have no password."""
    query = select(members.c.password_hash).where(members.c.name_key == make_name_key(name))
    return conn.execute(query).scalar()


def set_password_hash(conn: Connection, member_id: int, password_hash: str) -> None:
    conn.execute(
        update(members).where(members.c.id == member_id).values(password_hash=password_hash)
    )


def has_passwords(conn: Connection) -> bool:
    """Whether any member has chosen a password."""
    query = select(members.c.id).where(members.c.password_hash.is_not(None))
    return conn.execute(query.limit(1)).first() is not None


def note_member_seen(conn: Connection, member_id: int, now: datetime) -> None:
    conn.execute(update(members).where(members.c.id == member_id).values(last_seen_at=now))


def make_member(row: Row[Any], prefix: str = "") -> Member:
    """Of a row that has the table's columns, their names perhaps behind a prefix."""
    found = row._mapping
    columns = ("id", "name", "role", "state", "password_hash", "created_at", "last_seen_at")
    values = [found[prefix + column] for column in columns]
    values[4] = values[4] is not None
    return Member(*values)


def _refuse_taken(name: str) -> Conflict:
    return Conflict(f"there is a member called {name} already; choose another name")
