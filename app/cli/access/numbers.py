"""`letterbox numbers`: our virtual numbers and their auth values."""

import json
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from app.api.core.schemas import VirtualNumber
from app.cli.core.offline import find_actor, run_on_database
from app.cli.core.output import SHOWN_ONCE, JsonOption, YesOption, confirm, print_json, print_table
from app.domain.numbers import normalise_number
from app.flows.access import configure
from app.flows.access.configure import NumberWithAuth
from app.settings import Settings
from app.storage.access.numbers import Number, get_number
from app.storage.access.numbers import list_numbers as list_configured
from app.storage.db.database import Connection, Database
from app.storage.inbound.last_seen import find_last_arrival

LISTED = 500

app = typer.Typer(help="Our virtual numbers and their auth values.", no_args_is_help=True)


@app.command("list")
def list_numbers(*, as_json: JsonOption = False) -> None:
    """List the numbers, newest first."""

    async def read(database: Database, _: Settings) -> list[tuple[Number, datetime | None]]:
        return await database.read(_read_listed)

    found = run_on_database(read)
    if as_json:
        print_json([VirtualNumber.model_validate(number) for number, _ in found])
        return
    print_table(
        ("number", "label", "auth values", "last text"),
        [
            (number.number, number.label, len(number.auth), last_at or "never")
            for number, last_at in found
        ],
    )


def _read_listed(conn: Connection) -> list[tuple[Number, datetime | None]]:
    """Each number with when it was last texted, with whatever auth value."""
    found = list_configured(conn, before=None, limit=LISTED)
    return [(each, find_last_arrival(conn, each.number)) for each in found]


@app.command()
def add(
    number: Annotated[str, typer.Argument(help="Such as +44 7700 900123.")],
    *,
    label: Annotated[str, typer.Option(help="What people call it.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Configure a number and print its auth value (shown once)."""

    async def write(database: Database, settings: Settings) -> NumberWithAuth:
        return await configure.add_number(
            database,
            number,
            region=settings.default_region,
            label=label,
            who=find_actor(),
            now=datetime.now(UTC),
        )

    _print_auth(run_on_database(write), as_json=as_json)


@app.command("rotate-auth")
def rotate_auth(
    number: Annotated[str, typer.Argument(help="As `numbers list` shows it.")],
    *,
    overlap_seconds: Annotated[
        int,
        typer.Option(
            min=0,
            max=int(configure.MAX_OVERLAP.total_seconds()),
            help="How long the old value stays valid.",
        ),
    ] = int(configure.OVERLAP.total_seconds()),
    as_json: JsonOption = False,
) -> None:
    """Create a new auth value and print it (shown once)."""

    async def write(database: Database, settings: Settings) -> NumberWithAuth:
        return await configure.rotate_auth(
            database,
            normalise_number(number, settings.default_region),
            overlap=timedelta(seconds=overlap_seconds),
            who=find_actor(),
            now=datetime.now(UTC),
        )

    _print_auth(run_on_database(write), as_json=as_json)


@app.command()
def remove(
    number: Annotated[str, typer.Argument(help="As `numbers list` shows it.")],
    *,
    yes: YesOption = False,
) -> None:
    """Remove a number and its auth values; its messages stay."""

    async def find(database: Database, settings: Settings) -> str:
        wanted = normalise_number(number, settings.default_region)
        return (await database.read(get_number, wanted)).number

    found = run_on_database(find)
    confirm(f"Remove {found}? Texts that are forwarded with its auth values are refused.", yes=yes)

    async def write(database: Database, _: Settings) -> None:
        await configure.remove_number(database, found, who=find_actor(), now=datetime.now(UTC))

    run_on_database(write)
    typer.echo(f"removed {found}")


def _print_auth(made: NumberWithAuth, *, as_json: bool) -> None:
    if as_json:
        shown = VirtualNumber.model_validate(made.number).model_dump(mode="json")
        shown["auth"][0]["value"] = made.value
        typer.echo(json.dumps(shown))
        return
    typer.echo(f"{made.number.number}: paste this auth value into the provider's page")
    typer.echo(made.value)
    typer.echo(SHOWN_ONCE, err=True)
