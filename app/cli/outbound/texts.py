"""`letterbox send`, `status` and `cancel`: texts that go out, queued and followed from here."""

import json
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Annotated, Any, Literal

import typer

from app.account import open_provider
from app.api.outbound.schemas import Outbound, OutboundDetail, show_detail, show_queued
from app.cli.core.offline import find_actor, run_on_database
from app.cli.core.output import JsonOption, print_json, print_table
from app.cli.operations.account import read_time
from app.domain.errors import Fault, InvalidFields, InvalidInput, NoProvider, NotFound
from app.domain.ids import decode_id
from app.domain.outbound.requests import OutboundRequest, digest_request
from app.flows.outbound.cancel import cancel_text
from app.flows.outbound.compose import Composed, compose_once
from app.provider.client import ProviderClient
from app.settings import Settings, load_settings
from app.storage.db.clock import read_clock
from app.storage.db.database import Connection, Database
from app.storage.db.wakeups import notify_once
from app.storage.operations.idempotency import IdempotencyKey
from app.storage.outbound.texts import OutboundText, get_outbound, read_history

STDIN = "-"

OutboundId = Annotated[str, typer.Argument(metavar="ID", help="Such as out_1q.")]


def read_body(text: str) -> str:
    """The text itself, or stdin for `-`, without the last line break."""
    if text != STDIN:
        return text
    try:
        return sys.stdin.buffer.read().decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise InvalidInput("stdin is not UTF-8") from None


def read_message_id(text: str | None) -> int | None:
    """Raises InvalidInput."""
    try:
        return None if text is None else decode_id("msg", text)
    except NotFound as error:
        raise InvalidInput(str(error), field="in_reply_to") from None


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
    """Print what is queued; warnings go to stderr."""
    if sum(map(bool, (to, list_name, group))) != 1:
        raise InvalidInput("name numbers, a --list or a --group: one of the three")
    wanted = OutboundRequest(
        source=source,
        body=read_body(body),
        to=to or None,
        list_name=list_name,
        group_name=group,
        source_ton=source_ton,
        schedule_at=read_time(schedule_at, load_settings().zone, "--schedule-at"),
        schedule_by=schedule_by,
        validity_seconds=validity_seconds,
        in_reply_to=read_message_id(in_reply_to),
        force=force,
    )

    async def queue(database: Database, settings: Settings) -> Composed:
        if not settings.provider_token:
            raise NoProvider
        who = find_actor()
        done = await compose_once(
            database,
            wanted,
            None
            if idempotency_key is None
            else IdempotencyKey(who, idempotency_key, digest_request(wanted)),
            show_queued,
            who=who,
            region=settings.default_region,
            zone=settings.zone,
            now=await database.read(read_clock),
        )
        await _notify(database)
        return done

    try:
        done = run_on_database(queue)
    except InvalidFields as error:
        raise InvalidFields([_name_number(each, to or []) for each in error.found]) from None
    if as_json:
        typer.echo(json.dumps(done.answer))
    else:
        items = done.answer["items"]
        print_table(
            ("id", "to", "parts", "status"),
            [(each["id"], _name(each), each["parts"], each["status"]) for each in items],
        )
    for warning in done.answer["warnings"]:
        typer.echo(f"note: {warning}", err=True)
    if done.is_replayed:
        typer.echo("this key was used before: nothing new was queued", err=True)
    else:
        typer.echo("queued: the running service sends it (letterbox status ID)", err=True)


def _name_number(fault: Fault, to: Sequence[str]) -> Fault:
    """With the number as it was typed, where the fault names its place: `to.0`."""
    place = fault.field.removeprefix("to.")
    return fault._replace(field=to[int(place)]) if place.isdigit() else fault


def status(outbound_id: OutboundId, *, as_json: JsonOption = False) -> None:
    """What became of a text. Raises NotFound."""

    def read(conn: Connection) -> OutboundDetail:
        number = decode_id("out", outbound_id)
        return show_detail(get_outbound(conn, number), read_history(conn, number))

    async def ask(database: Database, _: Settings) -> OutboundDetail:
        return await database.read(read)

    found = run_on_database(ask)
    if as_json:
        print_json(found)
        return
    shown = found.model_dump(mode="json", exclude={"calls", "history"})
    print_table((), [(name, _show(value)) for name, value in shown.items() if value])
    typer.echo()
    print_table(
        ("when", "status", "source", "provider status"),
        [
            (each["changed_at"], each["status"], each["told_by"], each["provider_status"])
            for each in found.model_dump(mode="json")["history"]
        ],
    )


def cancel(outbound_id: OutboundId, *, as_json: JsonOption = False) -> None:
    """Cancel a text, here or at the provider. Raises NotFound, Conflict and ProviderError."""
    number = decode_id("out", outbound_id)

    async def end(database: Database, settings: Settings) -> OutboundText:
        async with AsyncExitStack() as stack:

            def get_client() -> ProviderClient:
                client = open_provider(settings)
                stack.push_async_callback(client.aclose)
                return client

            now = await database.read(read_clock)
            found = await cancel_text(database, get_client, number, who=find_actor(), now=now)
            await _notify(database)
            return found

    found = run_on_database(end)
    if as_json:
        print_json(Outbound.model_validate(found))
        return
    typer.echo(f"{outbound_id} is {found.status}")


async def _notify(database: Database) -> None:
    """Wake the service if possible; it checks every second anyway."""
    for signal in ("outbound", "events"):
        await notify_once(database, signal)


def _name(item: dict[str, Any]) -> str:
    named = f"list {item['list']}" if item["list"] else f"group {item['group']}"
    return item["to"] or named


def _show(value: object) -> object:
    if isinstance(value, dict):
        return ", ".join(f"{name}: {each}" for name, each in value.items() if each is not None)
    return ", ".join(map(str, value)) if isinstance(value, list) else value
