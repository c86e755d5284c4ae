"""Commands and groups whose modules are imported only when one of them is used.

Most of a command's time is spent on imports, and a shell script calls many.
"""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

from app.cli.core.named_options import PlainCommand
from app.cli.core.plain_help import PLAIN, PlainGroup


def add_group(app: typer.Typer, name: str, module: str, about: str) -> None:
    """Add the group that `module` has as `app`; `about` is its help, which must be known before."""

    def load() -> TyperGroup:
        found: typer.Typer = import_module(module).app
        found.rich_markup_mode, found.info.cls = PLAIN, PlainGroup
        for each in found.registered_commands:
            each.cls = PlainCommand
        return get_group(found)

    class LazyGroup(TyperGroup):
        """Stands for the group until it is used."""

        def make_context(self, *args: Any, **extra: Any) -> Any:
            return load().make_context(*args, **extra)

        def list_commands(self, ctx: Any) -> list[str]:
            return load().list_commands(ctx)

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            return load().get_command(ctx, cmd_name)

    app.add_typer(typer.Typer(cls=LazyGroup, help=about), name=name)


def add_command(app: typer.Typer, name: str, module: str, about: str) -> None:
    """Add the command whose function `module` has under the same name; `about` is its help."""

    class LazyCommand(TyperCommand):
        """Stands for the command until it is used."""

        def make_context(self, *args: Any, **extra: Any) -> Any:
            function = getattr(import_module(module), name.replace("-", "_"))
            alone = typer.Typer(add_completion=False, rich_markup_mode=PLAIN)
            alone.command(name, help=about, cls=PlainCommand)(function)
            return get_command(alone).make_context(*args, **extra)

    app.command(name, cls=LazyCommand, help=about)(lambda: None)
