"""`letterbox credits` and `letterbox report`: the provider's account."""

import json
import sys
from contextlib import aclosing
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from app.cli.core.online import run_on_provider
from app.cli.core.output import JsonOption
from app.flows.operations.fetch_report import fetch_report, write_csv, write_json
from app.provider.client import ProviderClient
from app.settings import load_settings


def credits(*, as_json: JsonOption = False) -> None:  # noqa: A001 the command's name
    balance = f"{run_on_provider(ProviderClient.check_credits):f}"
    typer.echo(json.dumps({"credits": balance}) if as_json else balance)


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
    """Copy a report to stdout in constant memory."""
    zone = load_settings().zone
    begin, end = read_time(since, zone, "--from"), read_time(until, zone, "--to")
    write = write_json if as_json else write_csv

    async def copy(client: ProviderClient) -> None:
        chunks = fetch_report(client, report_type, since=begin, until=end, write=write)
        async with aclosing(chunks):
            async for chunk in chunks:
                sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.write(b"\n" if as_json else b"")
        sys.stdout.buffer.flush()

    run_on_provider(copy)


def read_time(text: str | None, zone: ZoneInfo, option: str) -> datetime | None:
    """A day or a time, in the provider's zone unless it has its own offset."""
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is not a time: write 2026-06-01, 2026-06-01T12:00 or 2026-06-01T12:00:00Z",
            param_hint=option,
        ) from None
    return time.replace(tzinfo=zone) if time.tzinfo is None else time
