"""Wrong usage is one line, like every other error."""

import os
import sys
from typing import Any, NoReturn

import typer
from typer.exceptions import TyperException

from app.cli.core.plain_help import PlainGroup

# The libraries' words, and ours.
_WORDS = {
    "Value error, ": "",
    "Input should be": "it must be",
    "Got unexpected": "unexpected",
    ". Did you mean": "; did you mean",
}


class OneLineErrors(PlainGroup):
    """The outermost group: exit status 2 for wrong usage, with a line that says where to look."""

    def main(self, args: Any = None, *others: Any, **extra: Any) -> NoReturn:
        try:
            given = [_read_argument(each) for each in (sys.argv[1:] if args is None else args)]
            status = super().main(given, *others, **{**extra, "standalone_mode": False})
        except TyperException as error:
            print(f"letterbox: {_describe(error)}", file=sys.stderr)
            sys.exit(error.exit_code)
        except typer.Abort:
            # Without a terminal, nobody has ended the question's line.
            end = "" if sys.stdin.isatty() else "\n"
            print(f"{end}letterbox: stopped; nothing was done", file=sys.stderr)
            sys.exit(1)
        sys.exit(status if isinstance(status, int) else 0)


def _read_argument(text: str) -> str:
    """An argument in UTF-8, even in an ASCII locale. Raises BadParameter."""
    if text.isascii():
        return text
    try:
        return os.fsencode(text).decode() if "\udc80" <= max(text) <= "\udcff" else text
    except UnicodeDecodeError:
        raise typer.BadParameter(f"{text!r} is not UTF-8") from None


def _describe(error: TyperException) -> str:
    text = " ".join(error.format_message().split()).rstrip(".")
    for theirs, ours in _WORDS.items():
        text = text.replace(theirs, ours)
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "letterbox"
    see = " See" if text.endswith("?") else "; see"
    return f"{text[0].lower()}{text[1:]}{see} `{command} --help`"
