"""The commands that run the service."""

import asyncio
import json
import os
import sys
from dataclasses import asdict
from typing import Annotated

import structlog
import typer

from app.cli import export, keys, numbers, simulate
from app.cli.logs import configure_logging
from app.cli.offline import JsonOption
from app.settings import Settings, find_unknown_variables, load_settings

app = typer.Typer(
    name="letterbox",
    help="Receives the texts that your SMS provider forwards, and loses none of them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


app.add_typer(numbers.app, name="numbers")
app.add_typer(keys.app, name="keys")
app.add_typer(export.app, name="export")
app.add_typer(simulate.app, name="simulate")


@app.command()
def serve(
    *,
    show_secrets: Annotated[
        bool, typer.Option(help="Print the generated auth value and API key.")
    ] = sys.stdout.isatty(),
) -> None:
    """Take forwards, serve the interface and, unless RUN_WORKERS is false, do the work."""
    from app.cli import serve as server  # noqa: PLC0415 the other commands start faster without

    server.serve(_begin(), show_secrets=show_secrets)


@app.command()
def work() -> None:
    """Do the work alone, beside web processes that run with RUN_WORKERS=false."""
    from app.runtime import open_runtime  # noqa: PLC0415 as above
    from app.storage.data_dir import DataDir  # noqa: PLC0415 as above
    from app.worker import work as run  # noqa: PLC0415 as above

    settings = _begin()
    lock = None if settings.is_postgres else DataDir.open(settings.data_dir).lock()
    try:
        asyncio.run(run(open_runtime(settings, "work")))
    finally:
        if lock is not None:
            os.close(lock)


@app.command()
def migrate() -> None:
    """Bring the database's schema to this release's."""
    from app.storage.data_dir import DataDir  # noqa: PLC0415 as above
    from app.storage.database import open_database  # noqa: PLC0415 as above
    from app.storage.migrate import migrate as run  # noqa: PLC0415 as above

    settings = _begin()
    lock = None if settings.is_postgres else DataDir.open(settings.data_dir).lock()

    async def upgrade() -> str | None:
        database = open_database(settings.database_url, settings.sqlite_path)
        try:
            return await run(database)
        finally:
            await database.close()

    revision = asyncio.run(upgrade())
    typer.echo(f"migrated to {revision}" if revision else "nothing to migrate")
    if lock is not None:
        os.close(lock)


@app.command()
def doctor(
    *,
    as_json: JsonOption = False,
    worker: Annotated[bool, typer.Option(help="Check only that the worker here lives.")] = False,
) -> None:
    """Print every effective setting and check what the service needs."""
    from app.cli.doctor import check_all, check_worker  # noqa: PLC0415 as above

    settings = load_settings()
    findings = [check_worker(settings)] if worker else check_all(settings)
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "settings": dict(settings.describe()),
                    "findings": [asdict(finding) for finding in findings],
                }
            )
        )
    else:
        for name, value in () if worker else settings.describe():
            typer.echo(f"{name}={value}")
        for finding in findings:
            typer.echo(f"{finding.state:4}  {finding.text}")
    if any(finding.state == "fail" for finding in findings):
        raise typer.Exit(1)


def _begin() -> Settings:
    """The settings of a long-running process, its log set up, odd variables pointed out."""
    settings = load_settings()
    configure_logging(settings.log_format, settings.log_level)
    log = structlog.get_logger("letterbox")
    for name, nearest in find_unknown_variables():
        log.warning("unknown_variable", name=name, did_you_mean=nearest or "nothing near")
    return settings
