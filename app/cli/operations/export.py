"""`letterbox export`: what came in or goes out, as a file for people or programs."""

import sys
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

from app.api.core.schemas import show_message
from app.api.outbound.schemas import show_outbound
from app.cli.core.offline import find_actor, run_on_database
from app.domain.csv_safety import BYTE_ORDER_MARK
from app.domain.errors import InvalidInput
from app.domain.inbound.queries import MessageFilter
from app.domain.numbers import normalise_number
from app.domain.outbound.states import OutboundStatus
from app.domain.written_numbers import make_forms
from app.flows.operations.export import (
    MESSAGE_COLUMNS,
    OUTBOUND_COLUMNS,
    Item,
    read_outbound_pages,
    read_pages,
    write_jsonl,
    write_shown,
)
from app.flows.operations.export_person import Exported, export_person
from app.settings import Settings
from app.storage.data_dir import DataDir
from app.storage.db.database import Database
from app.storage.outbound.lists import OutboundFilter
from app.storage.spool.adoption import count_waiting
from app.storage.spool.quarantine import count_kept

app = typer.Typer(help="Write what is stored to a file or pipe.", no_args_is_help=True)


class Format(StrEnum):
    CSV = "csv"
    JSONL = "jsonl"


FormatOption = Annotated[
    Format, typer.Option("--format", help="csv for spreadsheets, jsonl for programs.")
]


@app.command()
def messages(
    *,
    file_format: FormatOption = Format.CSV,
    source: Annotated[str, typer.Option(help="Only from this sender.")] = "",
    dest: Annotated[str, typer.Option(help="Only to this number.")] = "",
) -> None:
    """Write every message to stdout, oldest first, in constant memory."""

    async def run(database: Database, settings: Settings) -> None:
        region = settings.default_region
        wanted = MessageFilter(
            source=normalise_number(source, region) if source else None,
            dest=normalise_number(dest, region) if dest else None,
        )
        pages = read_pages(database, wanted, order="asc")
        await _write(pages, show_message, MESSAGE_COLUMNS, file_format)

    run_on_database(run)


@app.command()
def outbound(
    *,
    file_format: FormatOption = Format.CSV,
    to: Annotated[str, typer.Option(help="Only to this number.")] = "",
    source: Annotated[str, typer.Option(help="Only from this number or name of ours.")] = "",
    status: Annotated[OutboundStatus | None, typer.Option(help="Only with this status.")] = None,
) -> None:
    """Write every text of the outbox to stdout, newest first, in constant memory."""

    async def run(database: Database, settings: Settings) -> None:
        region = settings.default_region
        wanted = OutboundFilter(
            to=normalise_number(to, region) if to else None,
            source=normalise_number(source, region) if source else None,
            statuses=() if status is None else (status,),
        )
        pages = read_outbound_pages(database, wanted)
        await _write(pages, show_outbound, OUTBOUND_COLUMNS, file_format)

    run_on_database(run)


@app.command()
def person(
    number: Annotated[str, typer.Argument(help="Their number, in any form.", metavar="NUMBER")],
) -> None:
    """Write all that is stored about a number to stdout, as one JSON document."""
    exported = Exported()

    async def run(database: Database, settings: Settings) -> str:
        wanted = _read_person(number, settings.default_region)
        now = datetime.now(UTC)
        forms = make_forms(wanted, settings.default_region)
        chunks = export_person(database, forms, who=find_actor(), now=now, exported=exported)
        async for chunk in chunks:
            sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
        _warn_of_spool(settings)
        return wanted

    wanted = run_on_database(run)
    if not exported.rows:
        typer.echo(f"letterbox: nothing is stored about {wanted}", err=True)


def _read_person(number: str, region: str) -> str:
    """A number, or another sender such as a short code or name. Raises InvalidInput."""
    wanted = normalise_number(number.strip(), region)
    if not wanted:
        raise InvalidInput("enter a number, such as 07700 900123")
    return wanted


def _warn_of_spool(settings: Settings) -> None:
    root = DataDir(settings.data_dir).spool
    waiting = count_waiting(root) + count_kept(root)[0] if root.is_dir() else 0
    if waiting:
        typer.echo(
            f"letterbox: {waiting} messages in the spool are not in this file: run it again once"
            " `serve` has stored them",
            err=True,
        )


async def _write(
    pages: AsyncIterator[Sequence[Item]],
    show: Callable[[Item], dict[str, Any]],
    columns: Sequence[str],
    file_format: Format,
) -> None:
    out = sys.stdout.buffer
    is_csv = file_format is Format.CSV
    out.write(BYTE_ORDER_MARK if is_csv else b"")
    async for chunk in write_shown(pages, show, columns) if is_csv else write_jsonl(pages, show):
        out.write(chunk)
    out.flush()
