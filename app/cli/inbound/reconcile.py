"""`letterbox reconcile`: compare what arrived with the provider's report."""

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from app.account import open_provider
from app.cli.core.offline import find_actor, run_on_database
from app.cli.core.output import JsonOption
from app.cli.operations.account import read_time
from app.flows.inbound.reconcile import Reconciler, Reconciliation
from app.flows.operations.processes.keep_time import Clock
from app.settings import Settings, load_settings
from app.storage.access.audit import add_audit
from app.storage.db.clock import read_clock
from app.storage.db.database import Database
from app.storage.db.wakeups import notify_once


def reconcile(
    *,
    since: Annotated[str, typer.Option("--from", help="A day or a time, in the provider's zone.")],
    until: Annotated[
        str | None, typer.Option("--to", help="The same; a day means its start. Default: now.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Store what only the report has; print the counts."""
    zone = load_settings().zone
    now = datetime.now(UTC)
    begin = read_time(since, zone, "--from") or now - timedelta(days=1)
    end = read_time(until, zone, "--to") or now
    if end < begin:
        raise typer.BadParameter("it is before --from", param_hint="--to")
    result = run_on_database(lambda database, settings: _run(database, settings, begin, end))
    if as_json:
        typer.echo(json.dumps(asdict(result), default=datetime.isoformat))
        return
    typer.echo(f"{result.reported} texts in the report, {result.missing} of them were missing here")
    if result.unreadable:
        typer.echo(f"{result.unreadable} rows could not be dated and were left out", err=True)


async def _run(
    database: Database, settings: Settings, since: datetime, until: datetime
) -> Reconciliation:
    # The lease is shared with other machines, so it uses the database's time.
    clock = Clock()
    clock.set(await database.read(read_clock), clock.seconds())
    async with open_provider(settings) as client:
        reconciler = Reconciler(
            database,
            client,
            zone=settings.zone,
            region=settings.default_region,
            now=clock.now,
            keep=settings.keep,
        )
        with Progress(console=Console(stderr=True), transient=True) as progress:
            bar = progress.add_task("Comparing", total=1.0)
            result = await reconciler.run_window(
                since, until, lambda share: progress.update(bar, completed=share)
            )
    detail = {"from": since.isoformat(), "to": until.isoformat(), "missing": result.missing}
    await database.write(add_audit, find_actor(), "reconcile.run", "messages", detail, clock.now())
    if result.missing:
        await notify_once(database, "messages")
    return result
