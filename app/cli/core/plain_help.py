"""Help in plain text: importing Rich takes longer than everything else that help needs."""

from typing import Any

import typer
from typer.core import TyperGroup

# For `rich_markup_mode`.
PLAIN = None
LONGEST_SENTENCE = 1_000
WRONG_USAGE = 2


class PlainGroup(TyperGroup):
    """Lists each command with its whole first sentence, on several lines if it is long."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args and self.no_args_is_help and not ctx.resilient_parsing:
            typer.echo(ctx.get_help())
            raise typer.Exit(WRONG_USAGE)
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [
            (name, command.get_short_help_str(LONGEST_SENTENCE))
            for name, command in found
            if command is not None and not command.hidden
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
