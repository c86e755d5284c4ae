"""How commands print: tables for people, JSON for programs."""

import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from unicodedata import category

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from pydantic import BaseModel

JsonOption = Annotated[bool, typer.Option("--json", help="Output JSON.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]

# On stderr, so that a script reads only the secret.
SHOWN_ONCE = "Copy it now: it is not shown again."


def print_json(shown: "BaseModel | Sequence[BaseModel]") -> None:
    """An object, or several, one per line."""
    for each in shown if isinstance(shown, Sequence) else [shown]:
        typer.echo(each.model_dump_json(by_alias=True))


def print_rows(rows: Sequence[Any]) -> None:
    """Dataclasses as JSON, one per line."""
    for row in rows:
        typer.echo(json.dumps(asdict(row), ensure_ascii=False))


def print_table(headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A table for people, perhaps without headings.

    A pipe gets it without colours, wide enough for every cell.
    """
    table = Table(*headings, box=None, pad_edge=False, show_header=bool(headings))
    for row in rows:
        table.add_row(*map(_write_cell, row))
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console = Console(highlight=False, markup=False, width=1000)
    console.print(table)


def _write_cell(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return f"{cell.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return make_visible(str(cell))


def make_visible(text: str) -> str:
    """Shows control characters, which could otherwise steer the terminal."""
    return "".join(
        repr(each)[1:-1] if category(each) == "Cc" and each not in "\t\n" else each for each in text
    )


def name_command() -> str:
    """How to run this command again: by its name if the shell finds it, else by its path."""
    found = shutil.which("letterbox")
    own = Path(sys.argv[0])
    known = found is not None and own.exists() and own.samefile(found)
    return "letterbox" if known or own.name != "letterbox" else str(own)


def confirm(question: str, *, yes: bool) -> None:
    """Ask on stderr, unless `yes`; ends the command if the answer is no."""
    if not yes:
        typer.confirm(question, abort=True, err=True)
