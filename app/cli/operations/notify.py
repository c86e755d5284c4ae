"""`letterbox notify`: who is told by mail, chat or phone, and what of."""

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from app.cli.core.offline import find_actor, run_on_database
from app.cli.core.output import JsonOption, YesOption, confirm, print_table
from app.domain.access.sealing import Sealer
from app.domain.errors import InvalidInput, SetupError, Unreadable
from app.domain.ids import decode_id, encode_id
from app.domain.numbers import read_number
from app.domain.operations.notices import write_test
from app.domain.operations.notify_addresses import Wishes, describe_wishes
from app.flows.operations.notifications import manage_notify
from app.flows.operations.notifications.deliver_notice import Deliverer
from app.settings import Settings
from app.shared_secrets import find_secrets
from app.storage.data_dir import DataDir
from app.storage.db.database import Database
from app.storage.operations.notify_addresses import NotifyAddress, get_address, list_addresses

app = typer.Typer(help="Who is told by mail, chat or phone.", no_args_is_help=True)

IdArgument = Annotated[str, typer.Argument(help="As `notify list` shows it.")]


@app.command("list")
def list_all(*, as_json: JsonOption = False) -> None:
    """List the addresses, secrets masked, with what each gets and its last error."""

    async def read(database: Database, _: Settings) -> list[NotifyAddress]:
        return await database.read(list_addresses)

    found = run_on_database(read)
    if as_json:
        for each in found:
            typer.echo(json.dumps(_show(each), ensure_ascii=False))
        return
    print_table(
        ("id", "address", "gets", "state", "last message", "last error"),
        [
            (
                encode_id("ntf", each.id),
                str(each.masked),
                describe_wishes(each.wishes),
                _name_state(each),
                each.sent_at or "never",
                each.last_error,
            )
            for each in found
        ],
    )


@app.command()
def add(
    address: Annotated[
        str, typer.Argument(help="An Apprise address; - reads it from standard input.")
    ],
    *,
    name: Annotated[str, typer.Option(help="Whom it reaches.")] = "",
    alerts: Annotated[bool, typer.Option(help="Send alerts when they open and end.")] = True,
    texts: Annotated[bool, typer.Option(help="Send texts that need an answer.")] = False,
    number: Annotated[
        list[str] | None, typer.Option(help="Only texts to this number; can be repeated.")
    ] = None,
    quiet: Annotated[
        str, typer.Option(help="No texts within these hours, such as 22:00-07:00.")
    ] = "",
    summary_at: Annotated[str, typer.Option(help="Send a summary daily, such as 08:00.")] = "",
    zone: Annotated[
        str, typer.Option(help="Time zone of these times; default: PROVIDER_TIMEZONE.")
    ] = "",
) -> None:
    """Add an address and print its id; a worker sends a test message to it."""
    text = sys.stdin.read() if address == "-" else address
    quiet_from, quiet_until = _read_hours(quiet)

    async def write(database: Database, settings: Settings) -> NotifyAddress:
        numbers = tuple(read_number(each, settings.default_region) for each in number or ())
        wishes = Wishes(
            alerts,
            texts,
            numbers,
            quiet_from,
            quiet_until,
            summary_at or None,
            zone or settings.provider_timezone,
        )
        return await database.write(
            manage_notify.add_address,
            _make_sealer(settings),
            text,
            name,
            wishes,
            who=find_actor(),
            now=datetime.now(UTC),
        )

    typer.echo(encode_id("ntf", run_on_database(write).id))


@app.command()
def remove(address_id: IdArgument, *, yes: YesOption = False) -> None:
    """Remove an address: nothing goes there any more."""
    number = decode_id("ntf", address_id)

    async def find(database: Database, _: Settings) -> NotifyAddress:
        return await database.read(manage_notify.get_own, number)

    found = run_on_database(find)
    confirm(f"Remove {address_id} ({found.masked})?", yes=yes)

    async def write(database: Database, _: Settings) -> None:
        await database.write(
            manage_notify.remove_address, number, who=find_actor(), now=datetime.now(UTC)
        )

    run_on_database(write)
    typer.echo(f"removed {address_id}")


@app.command()
def test(address_id: IdArgument) -> None:
    """Send a test message from here, and say whether it was taken."""

    async def send(database: Database, settings: Settings) -> str:
        address = await database.read(get_address, decode_id("ntf", address_id))
        notice = write_test(settings.base_url)
        error = await Deliverer().deliver(address.id, _open(address, settings), notice)
        await database.write(
            manage_notify.note_tested, address, error, who=find_actor(), now=datetime.now(UTC)
        )
        return error

    error = run_on_database(send)
    if error:
        raise SetupError(f"the test was not taken: {error}")
    typer.echo("the test was taken")


def _make_sealer(settings: Settings) -> Sealer:
    return Sealer(find_secrets(settings, DataDir.open(settings.data_dir)).api_key)


def _open(address: NotifyAddress, settings: Settings) -> str:
    sealer = _make_sealer(settings)
    if address.sealed is not None:
        return sealer.open(address.sealed)
    for each in settings.notify:
        if sealer.digest(each.get_secret_value()) == address.digest:
            return each.get_secret_value()
    raise Unreadable("this address stands in the service's LETTERBOX_NOTIFY, but not in ours")


def _read_hours(text: str) -> tuple[str | None, str | None]:
    if not text:
        return None, None
    begins, dash, ends = text.partition("-")
    if not dash:
        raise InvalidInput("write the hours like 22:00-07:00", field="quiet")
    return begins.strip(), ends.strip()


def _name_state(address: NotifyAddress) -> str:
    if not address.is_enabled:
        return "disabled"
    return "failing" if address.last_error else "enabled"


def _show(address: NotifyAddress) -> dict[str, object]:
    return {
        "id": encode_id("ntf", address.id),
        "address": str(address.masked),
        "source": address.source,
        **asdict(address.wishes),
        "state": _name_state(address),
        "sent_at": address.sent_at.isoformat() if address.sent_at else None,
        "last_error": address.last_error,
    }
