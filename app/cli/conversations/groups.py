"""`letterbox groups`: the groups of the provider's address book."""

from typing import Annotated

import typer

from app.cli.core.cli_audit import audit_action
from app.cli.core.online import run_on_provider
from app.cli.core.output import JsonOption, YesOption, confirm, print_rows, print_table
from app.domain.errors import NotFound
from app.provider.client import ProviderClient

app = typer.Typer(help="The groups of the provider's address book.", no_args_is_help=True)


@app.command("list")
def list_groups(*, as_json: JsonOption = False) -> None:
    """List every group, as the provider describes it."""
    book = run_on_provider(ProviderClient.get_all_groups)
    if as_json:
        print_rows(book.rows)
    else:
        print_table(book.headings or (), [row.fields for row in book.rows])


@app.command()
def empty(
    name: Annotated[str, typer.Argument(help="As `groups list` shows it.")],
    *,
    yes: YesOption = False,
) -> None:
    """Remove all contacts from a group; the contacts and the group stay."""
    if not yes:
        _ask(f"Remove all contacts from the group {name}?", name)

    async def run(client: ProviderClient) -> None:
        await client.empty_group(name)
        await audit_action("group.empty", name)

    run_on_provider(run)
    typer.echo(f"emptied {name}")


@app.command()
def delete(
    name: Annotated[str | None, typer.Argument(help="As `groups list` shows it.")] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Delete every group.")] = False,
    yes: YesOption = False,
) -> None:
    """Delete one group or all of them; the contacts stay. This cannot be undone."""
    if (name is not None) == every:
        raise typer.BadParameter("name one group, or say --all")
    what = "every group" if name is None else f"the group {name}"
    if not yes:
        _ask(f"Delete {what} of the provider's address book?", name)

    async def run(client: ProviderClient) -> None:
        if name is None:
            await client.delete_all_groups()
            await audit_action("groups.delete-all", "all")
        else:
            await client.delete_group(name)
            await audit_action("group.delete", name)

    run_on_provider(run)
    typer.echo(f"deleted {what}")


def _ask(question: str, name: str | None) -> None:
    """Ask, unless it is clear that it cannot be done: without an account, for example.

    Raises NotFound where the provider's list has names, and not this one; None is every group.
    """
    names = {row.name for row in run_on_provider(ProviderClient.get_all_groups).rows}
    if name is not None and None not in names and name not in names:
        raise NotFound(f"there is no group {name}; `letterbox groups list` shows them all")
    confirm(question, yes=False)
