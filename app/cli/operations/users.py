"""`letterbox users`: the child users of the provider's account."""

import sys
from decimal import Decimal, InvalidOperation
from typing import Annotated

import typer

from app.cli.core.cli_audit import audit_action
from app.cli.core.online import run_on_provider
from app.provider.actions import AccessLevel, NewUser
from app.provider.client import ProviderClient

app = typer.Typer(help="The child users of the provider's account.", no_args_is_help=True)


def read_amount(text: str | Decimal) -> Decimal:
    """A decimal. Raises BadParameter."""
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise typer.BadParameter(f"{text} is not an amount of credits")
    return amount


@app.command()
def create(
    username: Annotated[str, typer.Argument(help="The name to log in with.")],
    *,
    first_name: Annotated[str, typer.Option(help="The person's first name.")],
    last_name: Annotated[str, typer.Option(help="The person's last name.")],
    email: Annotated[str, typer.Option(help="Where the provider sends emails.")],
    credit: Annotated[
        Decimal, typer.Option("--credits", parser=read_amount, help="Taken from the account.")
    ] = Decimal(0),
    access_level: Annotated[
        AccessLevel, typer.Option(help="An Admin may create users of its own.")
    ] = AccessLevel.NORMAL,
    telephone: Annotated[str, typer.Option(help="The person's number.")] = "",
    credit_reminder: Annotated[
        int | None, typer.Option(min=0, help="Email the user below this many credits.")
    ] = None,
    alert_days: Annotated[
        int | None, typer.Option(min=0, help="Email the user after this many idle days.")
    ] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from stdin.")
    ] = False,
) -> None:
    """Create a child user. Asks for the password, so that no list of processes shows it."""
    if not password_stdin:
        # Nobody should be asked for a password that then cannot be used.
        run_on_provider(ProviderClient.check_credits)
    user = NewUser(
        username=username,
        password=_read_password(from_stdin=password_stdin),
        access_level=access_level,
        first_name=first_name,
        last_name=last_name,
        email=email,
        credits=credit,
        telephone=telephone,
        credit_reminder=credit_reminder,
        alert_days=alert_days,
    )

    async def run(client: ProviderClient) -> None:
        await client.create_user(user)
        await audit_action("user.create", username, access_level=access_level)

    run_on_provider(run)
    typer.echo(f"created {username}")


# So that an amount below 0 is not taken for an option.
@app.command(context_settings={"ignore_unknown_options": True})
def credit(
    username: Annotated[str, typer.Argument(help="A child user of this account.")],
    quantity: Annotated[
        Decimal, typer.Argument(parser=read_amount, help="How many; below 0: taken back.")
    ],
) -> None:
    """Give credits to a child user, or take them back."""

    async def run(client: ProviderClient) -> None:
        await client.update_credits(username, quantity)
        await audit_action("user.credits", username, quantity=f"{quantity:f}")

    run_on_provider(run)
    given = f"gave {quantity} credits to" if quantity > 0 else f"took {-quantity} credits back from"
    typer.echo(f"{given} {username}")


def _read_password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\n")
    password: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return password
