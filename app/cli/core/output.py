"""How commands print: tables for people, JSON for programs."""

import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict
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

# On stderr beside a secret, so that a script reads the secret alone.
SHOWN_ONCE = "Keep it now: it is shown only this once."


def print_json(shown: "BaseModel | Sequence[BaseModel]") -> None:
    """An object, or a list's objects one a line."""
    for each in shown if isinstance(shown, Sequence) else [shown]:
        typer.echo(each.model_dump_json(by_alias=True))


def print_rows(rows: Sequence[Any]) -> None:
    """Plain objects (dataclasses), as JSON one a line."""
    for row in rows:
        typer.echo(json.dumps(asdict(row), ensure_ascii=False))


def print_table(headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A table for people, perhaps without headings.

    A pipe gets it without colours, wide enough for every cell.
    """
    table = Table(*headings, box=None, pad_edge=False, show_header=bool(headings))
    for row in rows:
        table.add_row(*("" if cell is None else make_visible(str(cell)) for cell in row))
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console = Console(highlight=False, markup=False, width=1000)
    console.print(table)


def make_visible(text: str) -> str:
    """What strangers wrote, with characters that steer a terminal shown instead of obeyed."""
    return "".join(
        repr(each)[1:-1] if category(each) == "Cc" and each not in "\t\n" else each for each in text
    )


def name_command() -> str:
    """How whoever reads a hint can run this command: by its name, or by the path it was run by."""
    found = shutil.which("letterbox")
    own = Path(sys.argv[0])
    known = found is not None and own.exists() and own.samefile(found)
    return "letterbox" if known or own.name != "letterbox" else str(own)


def confirm(question: str, *, yes: bool) -> None:
    """Ask on stderr, unless `yes`; ends the command where the answer is no."""
    if not yes:
        typer.confirm(question, abort=True, err=True)
