"""`letterbox contacts`: the contacts of the provider's address book."""

import csv
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from app.cli.core.cli_audit import audit_action
from app.cli.core.online import run_on_provider
from app.cli.core.output import JsonOption, YesOption, confirm, print_rows, print_table
from app.domain.batches import cut
from app.domain.provider_errors import ProviderError
from app.flows.conversations.import_contacts import import_contacts, read_contacts
from app.provider.actions import ImportedLine
from app.provider.client import ProviderClient
from app.settings import load_settings
from app.storage.conversations.contact_imports import WaitingContact

BATCH_LINES = 100

app = typer.Typer(help="The contacts of the provider's address book.", no_args_is_help=True)


@app.command("import")
def import_file(
    file: Annotated[
        typer.FileBinaryRead,
        typer.Argument(help="Lines of name,number,email,group1,group2,… in UTF-8; - is stdin."),
    ],
    *,
    ignore_duplicates: Annotated[
        bool, typer.Option("--ignore-duplicates", help="Add names and numbers that exist already.")
    ] = False,
    overwrite_duplicates: Annotated[
        bool,
        typer.Option("--overwrite-duplicates", help="Replace contacts that have the same number."),
    ] = False,
) -> None:
    """Add contacts, and print the result of each line as CSV; exit 1 if any was not added."""
    contacts = read_contacts(file.read(), load_settings().default_region)
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(("line", "result", "detail"))
    done = failed = 0

    async def run(client: ProviderClient) -> None:
        nonlocal done, failed
        await audit_action("contacts.import", "contacts", lines=len(contacts))
        with Progress(console=Console(stderr=True), transient=True) as progress:
            bar = progress.add_task("Importing", total=len(contacts))
            batches = _import_batches(
                client, contacts, ignore=ignore_duplicates, overwrite=overwrite_duplicates
            )
            async with aclosing(batches):
                async for results in batches:
                    out.writerows((each.line, each.result, each.detail) for each in results)
                    failed += sum(not each.is_success for each in results)
                    done += len(results)
                    progress.update(bar, completed=done)

    try:
        run_on_provider(run)
    except ProviderError:
        typer.echo(
            f"The provider did not answer for the contacts from line {contacts[done].line} on",
            err=True,
        )
        raise
    if failed:
        typer.echo(f"letterbox: {failed} of {len(contacts)} contacts were not added", err=True)
        raise typer.Exit(1)


@app.command("list")
def list_contacts(*, as_json: JsonOption = False) -> None:
    """List every contact."""
    book = run_on_provider(ProviderClient.get_all_contacts)
    if as_json:
        print_rows(book.rows)
    elif book.headings is None:
        print_table((), [row.fields for row in book.rows])
    else:
        rows = [(row.name, row.number, row.email, ", ".join(row.groups)) for row in book.rows]
        print_table(("name", "number", "email", "groups"), rows)


@app.command()
def clear(*, yes: YesOption = False) -> None:
    """Delete every contact. This cannot be undone."""
    if not yes:
        # Also so that nobody is asked about what cannot be done, without an account, for example.
        count = len(run_on_provider(ProviderClient.get_all_contacts).rows)
        what = "the only contact" if count == 1 else f"all {count:,} contacts"
        confirm(f"Delete {what} of the provider's address book?", yes=False)

    async def delete(client: ProviderClient) -> None:
        await client.delete_all_contacts()
        await audit_action("contacts.delete-all", "all")

    run_on_provider(delete)
    typer.echo("deleted every contact")


async def _import_batches(
    client: ProviderClient, contacts: Sequence[WaitingContact], *, ignore: bool, overwrite: bool
) -> AsyncGenerator[list[ImportedLine]]:
    for batch in cut(contacts, BATCH_LINES):
        yield await import_contacts(
            client, batch, ignore_duplicates=ignore, overwrite_duplicates=overwrite
        )
