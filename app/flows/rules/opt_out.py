"""Opts numbers out and back in on behalf of a person."""

from collections.abc import Callable
from datetime import datetime

from app.domain.lengths import LONGEST_REASON, check_length
from app.flows.access.configure import accept
from app.storage.access.audit import add_audit
from app.storage.db.database import Connection, Database
from app.storage.operations.events import Change, add_events
from app.storage.rules import opt_outs
from app.storage.rules.opt_outs import OptOut


async def opt_out(
    database: Database, number: str, *, reason: str, who: str, now: datetime
) -> OptOut:
    """Opt a number out, given as it is stored, and cancel its waiting texts.

    `reason` is a person's explanation. A number that is already opted out keeps its reason.
    """

    check_length("text", reason, LONGEST_REASON)

    def take_out(conn: Connection) -> OptOut:
        was_out = opt_outs.is_opted_out(conn, number)
        cancelled = opt_outs.add_opt_out(conn, number, reason="person", text=reason, now=now)
        detail = {"reason": reason, "cancelled": len(cancelled)}
        add_audit(conn, who, "opt-out.add", number, detail, now)
        found = opt_outs.get_opt_out(conn, number)
        changes: list[Change] = [] if was_out else [("opt-out", found.id)]
        add_events(conn, [*changes, *(("status", each) for each in cancelled)], now)
        return found

    return await database.write(take_out)


async def opt_in(
    database: Database,
    number: str,
    *,
    check: Callable[[OptOut], None] = accept,
    who: str,
    now: datetime,
) -> None:
    """Opt a number back in; `check` may object to its current opt-out.

    Raises NotFound if it is not out.
    """

    def bring_back(conn: Connection) -> None:
        check(opt_outs.get_opt_out(conn, number))
        was = opt_outs.remove_opt_out(conn, number, now=now)
        add_audit(conn, who, "opt-out.remove", number, {"was": was.reason, "text": was.text}, now)
        add_events(conn, [("opt-out", was.id)], now)

    await database.write(bring_back)
