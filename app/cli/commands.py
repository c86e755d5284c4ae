"""The commands. Each imports what it needs when it runs, so that the others stay quick."""

import gc
import os
import signal
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app import __version__
from app.cli.core.lazy import add_command, add_group
from app.cli.core.plain_help import PLAIN
from app.cli.core.usage import OneLineErrors

if TYPE_CHECKING:
    from app.settings import Settings

app = typer.Typer(
    name="letterbox",
    cls=OneLineErrors,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=PLAIN,
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
    # Imports leave nothing to collect, and looking for it takes a tenth of the start. Once requests
    # are served, `cli/process/web.py` turns it on again.
    gc.disable()
    settings = _begin()
    from app.cli.process.serve import serve as run  # noqa: PLC0415 see above

    is_watched = sys.stdout.isatty()
    run(settings, show_secrets=is_watched if show_secrets is None else show_secrets)


@app.command()
def work() -> None:
    """Run the workers alone, next to web processes that run with RUN_WORKERS=false."""
    settings = _begin()
    held = _hold_alone(settings)
    import asyncio  # noqa: PLC0415 see above

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
    import asyncio  # noqa: PLC0415 see above

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


def _begin() -> "Settings":
    """The settings of a long-running process; sets up its log and warns of unknown variables."""
    structlog = _import_structlog()

    from app.cli.process.logs import configure_logging  # noqa: PLC0415 see above
    from app.settings import find_unknown_variables, load_settings  # noqa: PLC0415 see above

    settings = load_settings()
    configure_logging(settings.log_format, settings.log_level)
    log = structlog.get_logger("letterbox")
    for name, nearest in find_unknown_variables():
        log.warning("unknown_variable", name=name, did_you_mean=nearest or "nothing near")
    return settings


def _import_structlog() -> Any:
    """It would import Rich for tracebacks, which our log writes itself: 4 MB, and 50 ms."""
    sys.modules["rich"] = None  # type: ignore[assignment]  # what hides a module from imports
    try:
        return import_module("structlog")
    finally:
        del sys.modules["rich"]


def _hold_alone(settings: "Settings") -> list[int]:
    """Lock the SQLite file, before anything slow is imported. Raises SetupError."""
    from app.storage.data_dir import DataDir  # noqa: PLC0415 see above

    if settings.is_postgres:
        return []
    return DataDir.open(settings.data_dir).hold_alone(settings.sqlite_path)


for _name, _module, _about in (
    (
        "demo",
        "process.demo",
        "Serve with a simulated provider, people who text and rules that reply; nothing is kept.",
    ),
    (
        "doctor",
        "operations.doctor",
        "Print every effective setting and check what the service needs.",
    ),
    (
        "login-link",
        "access.login_link",
        "Print a link that signs in to the inbox (works once, expires in 15 minutes).",
    ),
    ("backup", "operations.backup", "Back up the whole service to a file, also while it runs."),
    ("restore", "operations.backup", "Restore a backup into an empty place, with sending paused."),
    (
        "move",
        "operations.move",
        "Move everything to another database, SQLite to PostgreSQL or back.",
    ),
    ("verify", "operations.backup", "Check that a backup is whole and can be read."),
    (
        "send",
        "outbound.texts",
        "Queue a text for numbers, a list or a group; the running service sends it.",
    ),
    (
        "listen",
        "webhooks.listen",
        "Forward events to a local URL, signed as webhooks are, until you press Ctrl-C.",
    ),
    ("status", "outbound.texts", "Print the status and history of a text."),
    ("cancel", "outbound.texts", "Cancel a text that has not gone out yet."),
    ("credits", "operations.account", "Print the balance of the provider's account."),
    (
        "report",
        "operations.account",
        "Print one of the provider's reports as CSV, however long it is.",
    ),
    (
        "reconcile",
        "inbound.reconcile",
        "Compare the messages with the provider's report, and store what is missing.",
    ),
    ("erase", "operations.erase", "Remove every trace of a number, except that it has opted out."),
):
    add_command(app, _name, f"app.cli.{_module}", _about)

for _name, _module, _about in (
    ("numbers", "access.numbers", "Our virtual numbers and their auth values."),
    ("keys", "access.keys", "The keys that open the REST interface."),
    ("members", "access.members", "The people who use the pages."),
    ("rules", "rules.rules", "The rules for automatic replies."),
    ("contacts", "conversations.contacts", "The contacts of the provider's address book."),
    ("webhooks", "webhooks.webhooks", "The programs that are called when something happens."),
    ("notify", "operations.notify", "Who is told by mail, chat or phone."),
    ("groups", "conversations.groups", "The groups of the provider's address book."),
    ("users", "operations.users", "The child users of the provider's account."),
    ("export", "operations.export", "Write what is stored to a file or pipe."),
    ("simulate", "process.simulate", "Simulate the provider: a complete NetMessenger on one port."),
):
    add_group(app, _name, f"app.cli.{_module}", _about)
