"""`letterbox members`: the people who use the pages."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from app.api.core.schemas import Member as ShownMember
from app.api.core.schemas import MemberWithLink
from app.cli.core.offline import find_actor, run_on_database
from app.cli.core.output import SHOWN_ONCE, JsonOption, YesOption, confirm, print_json, print_table
from app.domain.access.members import ROLES, Role
from app.domain.errors import InvalidInput
from app.flows.access.invite import INVITATION_LIFE, Invitation, renew_link, write_link
from app.flows.access.invite import invite as invite_member
from app.flows.access.set_member import check_change
from app.flows.conversations.change_member import change_member
from app.settings import Settings
from app.storage.access import members
from app.storage.access.members import Member
from app.storage.db.database import Connection, Database

LISTED = 500

app = typer.Typer(help="The people who use the pages.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="As `members list` shows it, in any case.")]


@app.command("list")
def list_members(*, as_json: JsonOption = False) -> None:
    """List the members, newest first."""

    async def read(database: Database, _: Settings) -> list[Member]:
        return await database.read(members.list_members, before=None, limit=LISTED)

    found = run_on_database(read)
    if as_json:
        print_json([ShownMember.model_validate(each) for each in found])
        return
    print_table(
        ("name", "role", "state", "last seen"),
        [
            (
                each.name,
                each.role,
                each.state,
                f"{each.last_seen_at:%Y-%m-%d %H:%M}" if each.last_seen_at else "never",
            )
            for each in found
        ],
    )


@app.command()
def invite(
    name: Annotated[str, typer.Argument(help="Shown next to what they do.")],
    *,
    role: Annotated[str, typer.Option(help="office or admin.")] = "office",
    as_json: JsonOption = False,
) -> None:
    """Invite somebody, or make a new link for a member; print the link (shown once)."""
    wanted = _read_role(role)

    async def write(database: Database, settings: Settings) -> tuple[Invitation, str]:
        found = await database.read(members.find_member, name)
        who, now = find_actor(), datetime.now(UTC)
        if found is None:
            made = await invite_member(database, name, wanted, who=who, now=now)
        else:
            made = await renew_link(database, found.id, who=who, now=now)
        return made, write_link(settings.base_url, made.token)

    made, link = run_on_database(write)
    if as_json:
        shown = ShownMember.model_validate(made.member).model_dump()
        full = MemberWithLink(**shown, link=link, link_expires_at=made.expires_at)
        typer.echo(json.dumps(full.model_dump(mode="json")))
        return
    typer.echo(link)
    days = INVITATION_LIFE.days
    typer.echo(f"{SHOWN_ONCE} It works once, within {days} days.", err=True)


@app.command()
def role(name: NameArgument, role: Annotated[str, typer.Argument(help="office or admin.")]) -> None:
    """Give a member another role."""
    changed = _change(name, {"role": _read_role(role)})
    typer.echo(f"{changed.name} has the role {changed.role}")


@app.command()
def deactivate(name: NameArgument, *, yes: YesOption = False) -> None:
    """Sign a member out everywhere, and let nobody sign in as them; their history stays."""
    changes = {"state": "deactivated"}

    def find(conn: Connection) -> str:
        found = members.get_member_called(conn, name)
        check_change(conn, found, changes)
        return found.name

    async def read(database: Database, _: Settings) -> str:
        return await database.read(find)

    confirm(f"Deactivate {run_on_database(read)}?", yes=yes)
    typer.echo(f"deactivated {_change(name, changes).name}")


def _change(name: str, changes: Mapping[str, Any]) -> Member:
    async def write(database: Database, _: Settings) -> Member:
        found = await database.read(members.get_member_called, name)
        return await change_member(
            database, found.id, changes, who=find_actor(), now=datetime.now(UTC)
        )

    return run_on_database(write)


def _read_role(given: str) -> Role:
    for each in ROLES:
        if each == given:
            return each
    raise InvalidInput(f"no role {given}: choose {' or '.join(ROLES)}")
