"""`letterbox export`: every message, as a file for people or programs."""

import sys
from enum import StrEnum
from typing import Annotated

import typer

from app.api.schemas import show_message
from app.cli.offline import run_on_database
from app.domain.numbers import normalise_number
from app.domain.queries import MessageFilter
from app.flows.export import read_pages, write_csv, write_jsonl
from app.settings import Settings
from app.storage.database import Database

app = typer.Typer(help="Write what is stored to a file or pipe.", no_args_is_help=True)


class Format(StrEnum):
    CSV = "csv"
    JSONL = "jsonl"


# A sub-command of its own, so that other things may be exported beside messages.
@app.callback()
def choose() -> None:
    """Write what is stored to a file or pipe."""


@app.command()
def messages(
    *,
    file_format: Annotated[Format, typer.Option("--format", help="csv or jsonl.")] = Format.CSV,
    source: Annotated[str, typer.Option(help="Only from this sender.")] = "",
    dest: Annotated[str, typer.Option(help="Only to this number.")] = "",
) -> None:
    """Write every message to stdout, oldest first, in constant memory."""
    write = write_csv if file_format is Format.CSV else write_jsonl

    async def run(database: Database, settings: Settings) -> None:
        region = settings.default_region
        wanted = MessageFilter(
            source=normalise_number(source, region) if source else None,
            dest=normalise_number(dest, region) if dest else None,
        )
        async for chunk in write(read_pages(database, wanted, order="asc"), show_message):
            sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()

    run_on_database(run)
