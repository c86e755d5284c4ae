"""`letterbox keys`: the keys that open the REST interface."""

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from app.api.core.schemas import ApiKey
from app.cli.core.offline import find_actor, run_on_database
from app.cli.core.output import SHOWN_ONCE, JsonOption, print_json, print_table
from app.domain.access.credentials import SCOPES, Scope
from app.domain.errors import InvalidInput
from app.domain.ids import decode_id, encode_id
from app.flows.access import configure
from app.flows.access.configure import KeyWithSecret
from app.settings import Settings
from app.storage.access import keys
from app.storage.db.database import Database

LISTED = 500

app = typer.Typer(help="The keys that open the REST interface.", no_args_is_help=True)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Who or what will use it.")],
    *,
    scope: Annotated[list[str], typer.Option(help=f"One of {', '.join(SCOPES)}; can be repeated.")],
    as_json: JsonOption = False,
) -> None:
    """Create a key and print it (shown once)."""
    wanted = _read_scopes(scope)

    async def write(database: Database, _: Settings) -> KeyWithSecret:
        return await configure.create_key(
            database, name, wanted, who=find_actor(), now=datetime.now(UTC)
        )

    made = run_on_database(write)
    if as_json:
        shown = ApiKey.model_validate(made.key).model_dump(mode="json")
        typer.echo(json.dumps({**shown, "key": made.secret}))
    else:
        typer.echo(made.secret)
        typer.echo(SHOWN_ONCE, err=True)


@app.command("list")
def list_keys(*, as_json: JsonOption = False) -> None:
    """List the keys, newest first, without the keys themselves."""

    async def read(database: Database, _: Settings) -> list[keys.ApiKey]:
        return await database.read(keys.list_keys, before=None, limit=LISTED)

    found = run_on_database(read)
    if as_json:
        print_json([ApiKey.model_validate(each) for each in found])
        return
    print_table(
        ("id", "name", "scopes", "created", "last used"),
        [
            (
                encode_id("key", each.id),
                each.name,
                " ".join(each.scopes),
                f"{each.created_at:%Y-%m-%d %H:%M}",
                f"{each.last_used_at:%Y-%m-%d %H:%M}" if each.last_used_at else "never",
            )
            for each in found
        ],
    )


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(help="As `keys list` shows it.")]) -> None:
    """Revoke a key: requests with it are refused from now on."""

    async def write(database: Database, _: Settings) -> None:
        await configure.revoke_key(
            database, decode_id("key", key_id), who=find_actor(), now=datetime.now(UTC)
        )

    run_on_database(write)
    typer.echo(f"revoked {key_id}")


def _read_scopes(given: list[str]) -> list[Scope]:
    unknown = [name for name in given if name not in SCOPES]
    if unknown:
        raise InvalidInput(f"no scope {unknown[0]}; they are {', '.join(SCOPES)}", field="scope")
    return [scope for scope in SCOPES if scope in given]
