"""Sets what a member is: the name, the role, and whether they may sign in at all."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from app.domain.access.members import check_member_name
from app.domain.errors import Conflict
from app.storage.access import members, sessions
from app.storage.access.audit import add_audit
from app.storage.access.members import Member
from app.storage.db.database import Connection, Database

CheckMember = Callable[[Member], object]


async def set_member(
    database: Database,
    member_id: int,
    changes: Mapping[str, Any],
    *,
    check: CheckMember = lambda _: None,
    who: str,
    now: datetime,
) -> Member:
    """Set `name`, `role` and `state` (active or deactivated), as far as they are named.

    Deactivating ends their sessions and links at once; what they did stays under their name.
    `check` may object to what the member is before. Raises InvalidInput, NotFound, and Conflict
    where the name is taken, or no active admin would be left.
    """
    wanted = dict(changes)
    if "name" in wanted:
        wanted["name"] = check_member_name(wanted["name"])

    def change(conn: Connection) -> Member:
        before = members.lock_member(conn, member_id)
        check(before)
        differing = {name: each for name, each in wanted.items() if getattr(before, name) != each}
        check_change(conn, before, differing)
        changed = members.change_member(conn, member_id, differing)
        _end_access(conn, before, differing)
        _audit(conn, before, differing, who, now)
        return changed

    return await database.write(change)


def check_change(conn: Connection, before: Member, changes: Mapping[str, Any]) -> None:
    """Raises Conflict where the member cannot become that."""
    _check_state(before, changes)
    _check_admins(conn, before, changes)


def _check_state(before: Member, changes: Mapping[str, Any]) -> None:
    if changes.get("state") == "active" and before.state == "invited":
        raise Conflict(f"{before.name} is invited: the invitation's link makes the account active")


def _check_admins(conn: Connection, before: Member, changes: Mapping[str, Any]) -> None:
    """Somebody must be able to make others admins."""
    if not before.is_admin or before.state != "active":
        return
    stays = changes.get("role", "admin") == "admin" and changes.get("state", "active") == "active"
    if not stays and not members.has_other_admin(conn, before.id):
        raise Conflict(f"{before.name} is the only active admin: make somebody else an admin first")


def _end_access(conn: Connection, before: Member, changes: Mapping[str, Any]) -> None:
    if changes.get("state") == "deactivated":
        sessions.remove_sessions_of(conn, before.id)
        sessions.remove_login_links_of(conn, before.id)


def _audit(
    conn: Connection, before: Member, changes: Mapping[str, Any], who: str, now: datetime
) -> None:
    """One entry for each kind of change; a member is named as they were called before."""
    subject, named = str(before.id), {"name": before.name}
    if "name" in changes:
        add_audit(conn, who, "member.rename", subject, {**named, "new": changes["name"]}, now)
    if "role" in changes:
        add_audit(conn, who, "member.role", subject, {**named, "role": changes["role"]}, now)
    if "state" in changes:
        action = "member.activate" if changes["state"] == "active" else "member.deactivate"
        add_audit(conn, who, action, subject, named, now)
