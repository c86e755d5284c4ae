"""The commands. Each imports what it needs when it runs, so that the others stay quick."""

import asyncio
import json
import os
import signal
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from app import __version__
from app.cli.core.lazy import add_lazily
from app.cli.core.output import JsonOption
from app.cli.core.usage import OneLineErrors

if TYPE_CHECKING:
    from app.settings import Settings

app = typer.Typer(
    name="letterbox",
    cls=OneLineErrors,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"letterbox {__version__}")
        raise typer.Exit


@app.callback()
def letterbox(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Receives the texts that your SMS provider forwards, and loses none of them."""


for _name, _about in {
    "numbers": "Our virtual numbers and their auth values.",
    "keys": "The keys that open the REST interface.",
    "rules": "The rules for automatic replies.",
    "contacts": "The contacts of the provider's address book.",
    "groups": "The groups of the provider's address book.",
    "users": "The child users of the provider's account.",
    "export": "Write what is stored to a file or pipe.",
    "simulate": "Simulate the provider: a complete NetMessenger on one port.",
}.items():
    add_lazily(app, _name, f"app.cli.{_name}", about=_about)


@app.command()
def serve(
    *,
    show_secrets: Annotated[
        bool | None,
        typer.Option(
            help="Print a login link, the auth value and the API key (default: on a terminal)."
        ),
    ] = None,
) -> None:
    """Run the web server and, unless RUN_WORKERS is false, the workers."""
    # Until it is caught (app/ending.py), a restart that is asked for would end the start.
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    settings = _begin()
    from app.cli.process.serve import serve as run  # noqa: PLC0415 see above

    is_watched = sys.stdout.isatty()
    run(settings, show_secrets=is_watched if show_secrets is None else show_secrets)


@app.command()
def demo(
    *,
    text_every: Annotated[
        float, typer.Option(min=1, help="Seconds between the texts that come in.")
    ] = 10.0,
) -> None:
    """Serve with a simulated provider, people who text and rules that reply; nothing is kept."""
    from app.cli.process.demo import demo as run  # noqa: PLC0415 see above

    run(text_every=text_every)


@app.command()
def work() -> None:
    """Run the workers alone, next to web processes that run with RUN_WORKERS=false."""
    settings = _begin()
    held = _hold_alone(settings)
    from app.wiring import open_runtime  # noqa: PLC0415 see above
    from app.worker import work as run  # noqa: PLC0415 see above

    try:
        asyncio.run(run(open_runtime(settings, "work")))
    finally:
        for descriptor in held:
            os.close(descriptor)


@app.command()
def migrate() -> None:
    """Migrate the database to this release's schema."""
    settings = _begin()
    held = _hold_alone(settings)
    from app.storage.db.database import open_database  # noqa: PLC0415 see above
    from app.storage.db.migrate import migrate as run  # noqa: PLC0415 see above

    async def upgrade() -> str | None:
        database = open_database(settings.database_url, settings.sqlite_path)
        try:
            return await run(database)
        finally:
            await database.close()

    revision = asyncio.run(upgrade())
    typer.echo(f"migrated to {revision}" if revision else "nothing to migrate")
    for descriptor in held:
        os.close(descriptor)


@app.command()
def doctor(
    *,
    as_json: JsonOption = False,
    worker: Annotated[bool, typer.Option(help="Check only that a worker runs here.")] = False,
) -> None:
    """Print every effective setting and check what the service needs."""
    from app.cli.doctor import check_all, check_worker  # noqa: PLC0415 see above
    from app.settings import load_settings  # noqa: PLC0415 see above

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


@app.command()
def login_link(
    *,
    name: Annotated[
        str, typer.Option(help="Who signs in; the audit trail shows this name.")
    ] = "admin",
) -> None:
    """Print a link that signs in to the inbox (works once, expires in 15 minutes)."""
    from app.cli.login_link import print_login_link  # noqa: PLC0415 see above

    print_login_link(name)


@app.command("credits")
def show_credits(*, as_json: JsonOption = False) -> None:
    """Print the balance of the provider's account."""
    from app.cli.account import print_credits  # noqa: PLC0415 see above

    print_credits(as_json=as_json)


@app.command()
def report(
    report_type: Annotated[
        str,
        typer.Argument(
            metavar="TYPE", help="Messages, Outbox, Usage, InboundMessages, FailedMessages, …"
        ),
    ],
    *,
    since: Annotated[
        str | None, typer.Option("--from", help="A day or a time, in the provider's zone.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", help="The same; a day means its start.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Print one of the provider's reports as CSV, however long it is."""
    from app.cli.account import print_report  # noqa: PLC0415 see above

    print_report(report_type, since, until, as_json=as_json)


@app.command()
def reconcile(
    *,
    since: Annotated[str, typer.Option("--from", help="A day or a time, in the provider's zone.")],
    until: Annotated[
        str | None, typer.Option("--to", help="The same; a day means its start. Default: now.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare the messages with the provider's report, and store what is missing."""
    from app.cli.reconcile import reconcile as run  # noqa: PLC0415 see above

    run(since, until, as_json=as_json)


@app.command()
def send(
    to: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NUMBER]...", help="Phone numbers, at most 100."),
    ] = None,
    *,
    body: Annotated[str, typer.Option(help="The text; - reads it from stdin.")],
    source: Annotated[str, typer.Option(help="One of our numbers, or a name.")],
    list_name: Annotated[
        str | None, typer.Option("--list", help="A distribution list instead of numbers.")
    ] = None,
    group: Annotated[
        str | None, typer.Option(help="A group of the address book instead of numbers.")
    ] = None,
    schedule_at: Annotated[
        str | None, typer.Option(help="When to send it, in the provider's zone.")
    ] = None,
    schedule_by: Annotated[
        Literal["letterbox", "provider"] | None, typer.Option(help="Who keeps the schedule.")
    ] = None,
    validity_seconds: Annotated[
        int, typer.Option(min=1, max=86400, help="How long the network tries.")
    ] = 86400,
    source_ton: Annotated[
        int | None, typer.Option(help="1: the source is international; 5: alphanumeric.")
    ] = None,
    in_reply_to: Annotated[
        str | None, typer.Option(help="The id of the message that it answers.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Send to opted-out numbers as well; this is audited.")
    ] = False,
    idempotency_key: Annotated[
        str | None, typer.Option(help="Repeated within a day, the same key sends nothing again.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Queue a text for numbers, a list or a group; the running service sends it."""
    from app.cli import texts  # noqa: PLC0415 see above
    from app.cli.account import read_time  # noqa: PLC0415 see above
    from app.domain.outbound.requests import OutboundRequest  # noqa: PLC0415 see above
    from app.settings import load_settings  # noqa: PLC0415 see above

    wanted = OutboundRequest(
        source=source,
        body=texts.read_body(body),
        to=to or None,
        list_name=list_name,
        group_name=group,
        source_ton=source_ton,
        schedule_at=read_time(schedule_at, load_settings().zone, "--schedule-at"),
        schedule_by=schedule_by,
        validity_seconds=validity_seconds,
        in_reply_to=texts.read_message_id(in_reply_to),
        force=force,
    )
    texts.send(wanted, idempotency_key, as_json=as_json)


@app.command()
def status(
    outbound_id: Annotated[str, typer.Argument(metavar="ID", help="Such as out_1q.")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Print the status and history of a text."""
    from app.cli.texts import print_status  # noqa: PLC0415 see above

    print_status(outbound_id, as_json=as_json)


@app.command()
def cancel(
    outbound_id: Annotated[str, typer.Argument(metavar="ID", help="Such as out_1q.")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Cancel a text that has not gone out yet."""
    from app.cli.texts import cancel as run  # noqa: PLC0415 see above

    run(outbound_id, as_json=as_json)


def _begin() -> "Settings":
    """The settings of a long-running process; sets up its log and warns of unknown variables."""
    import structlog  # noqa: PLC0415 see above

    from app.cli.process.logs import configure_logging  # noqa: PLC0415 see above
    from app.settings import find_unknown_variables, load_settings  # noqa: PLC0415 see above

    settings = load_settings()
    configure_logging(settings.log_format, settings.log_level)
    log = structlog.get_logger("letterbox")
    for name, nearest in find_unknown_variables():
        log.warning("unknown_variable", name=name, did_you_mean=nearest or "nothing near")
    return settings


def _hold_alone(settings: "Settings") -> list[int]:
    """Lock the SQLite file, before anything slow is imported. Raises SetupError."""
    from app.storage.spool.data_dir import DataDir  # noqa: PLC0415 see above

    if settings.is_postgres:
        return []
    return DataDir.open(settings.data_dir).hold_alone(settings.sqlite_path)
