"""`letterbox erase NUMBER`: forget a number for good."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from app.account import open_provider
from app.api.operations.erasures import Erasure
from app.cli.core.offline import find_actor, run_on_database
from app.cli.core.output import JsonOption, YesOption, confirm, print_json, print_table
from app.domain.errors import NoProvider
from app.domain.numbers import read_number
from app.flows.operations.erasures.erase_number import (
    Eraser,
    begin_erasure,
    check_erasable,
    wait_for_erasure,
)
from app.flows.operations.erasures.load_key import load_key
from app.provider.client import ProviderClient
from app.settings import Settings, load_settings
from app.shared_secrets import find_secrets
from app.storage.data_dir import DataDir
from app.storage.db.database import Connection, Database
from app.storage.operations.erasures import erasures
from app.storage.operations.processes import GONE_AFTER, list_processes

PATIENCE_SECONDS = 300.0


def erase(
    number: Annotated[str, typer.Argument(help="A full number, or a national one.")],
    *,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Remove every trace of a number; print what was removed from where, and what a scan found."""
    wanted = read_number(number, load_settings().default_region)
    run_on_database(lambda database, _: database.read(check_erasable, wanted))
    confirm(f"Erase every trace of {wanted}? Nothing brings it back.", yes=yes)
    found = run_on_database(lambda database, settings: _erase(database, settings, wanted))
    shown = Erasure.model_validate(found)
    if as_json:
        print_json(shown)
    else:
        _print(shown)
    if shown.scan is None:
        typer.echo(f"not finished: {shown.obstacle or 'it goes on'}; run this again", err=True)
        raise typer.Exit(1)
    if not shown.scan.is_clean:
        typer.echo("the scan has found traces of it: see above", err=True)
        raise typer.Exit(1)


async def _erase(database: Database, settings: Settings, number: str) -> erasures.Erasure:
    data_dir = DataDir.open(settings.data_dir)
    if database.digest_key.key is None:
        await load_key(database, data_dir, find_secrets(settings, data_dir).api_key)
    begun = await begin_erasure(database, number, who=find_actor(), now=datetime.now(UTC))
    # A running service does it: it alone knows what it holds in memory and in its spool.
    if await database.read(_is_served):
        return await wait_for_erasure(database, begun.id, PATIENCE_SECONDS)
    client = open_provider(settings) if settings.provider_token else None

    def get_client() -> ProviderClient:
        if client is None:
            raise NoProvider
        return client

    region, now = settings.default_region, lambda: datetime.now(UTC)
    await Eraser(database, get_client, settings.data_dir, region, now).advance()
    if client is not None:
        await client.aclose()
    return await database.read(erasures.get_erasure, begun.id)


def _is_served(conn: Connection) -> bool:
    now = datetime.now(UTC)
    return any(
        each.runs_workers and now - each.seen_at < GONE_AFTER for each in list_processes(conn)
    )


def _print(shown: Erasure) -> None:
    rows = [(each.place, each.removed, each.changed) for each in shown.removed]
    print_table(("where", "removed", "changed"), rows)
    scan = shown.scan
    if scan is None:
        return
    typer.echo(
        f"looked through {scan.rows} rows of {scan.tables} tables, {scan.file_bytes} bytes of the"
        f" database's file and {scan.spool_files} files of the spool:"
        f" {'nothing is left' if scan.is_clean else 'something is left'}"
    )
    if scan.file_traces or scan.index_entries:
        typer.echo(f"left in the file: {scan.file_traces}, in indexes: {scan.index_entries}")
    for name in scan.spool_left:
        typer.echo(f"the spool's file {name} still holds it")
    for name in scan.copies:
        typer.echo(f"the copy {name} may hold it: remove it when you need it no longer")
    typer.echo("backups made before still hold it", err=True)
