"""`letterbox login-link`: how people come to the pages without a password."""

import difflib
from datetime import UTC, datetime
from typing import Annotated

import typer

from app.cli.core.offline import find_actor, run_on_database
from app.domain.access.members import check_member_name
from app.flows.access.invite import write_link
from app.flows.access.sign_in import make_login_link
from app.settings import Settings
from app.storage.access.members import find_member, read_member_names
from app.storage.db.database import Connection, Database


def login_link(
    *,
    name: Annotated[
        str, typer.Option(help="Who signs in; a name that no member has becomes a new admin.")
    ] = "admin",
) -> None:
    """Raises InvalidInput for an invalid name, and Conflict for a deactivated member's."""

    async def write(database: Database, settings: Settings) -> tuple[str, str]:
        now = datetime.now(UTC)
        token = await make_login_link(database, name, who=find_actor(), now=now)
        note = await database.read(_describe_newcomer, check_member_name(name))
        return write_link(settings.base_url, token), note

    link, note = run_on_database(write)
    typer.echo(link)
    if note:
        typer.echo(note, err=True)


def _describe_newcomer(conn: Connection, name: str) -> str:
    """What the link does besides signing in, where no member has the name; else nothing."""
    if find_member(conn, name) is not None:
        return ""
    known = {each.casefold(): each for each in read_member_names(conn).values()}
    if not known:
        return f"This link adds the first member: {name}, an admin."
    near = difflib.get_close_matches(name.casefold(), known, 1)
    hint = f"Did you mean {known[near[0]]}?" if near else "`letterbox members list` lists them."
    return f"No member is called {name}: this link adds one, an admin. {hint}"
