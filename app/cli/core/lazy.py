"""Groups of commands whose modules are imported only when one of them is used.

Most of a command's time is spent on imports, and a shell script calls many.
"""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_group


def add_lazily(app: typer.Typer, name: str, module: str, *, about: str) -> None:
    """Add the group that `module` has as `app`; `about` is its help, which must be known before."""

    class LazyGroup(TyperGroup):
        """Stands for the group until it is used."""

        def make_context(self, *args: Any, **extra: Any) -> Any:
            return load_group(module).make_context(*args, **extra)

        def list_commands(self, ctx: Any) -> list[str]:
            return load_group(module).list_commands(ctx)

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            return load_group(module).get_command(ctx, cmd_name)

    app.add_typer(typer.Typer(cls=LazyGroup, help=about), name=name)


def load_group(module: str) -> TyperGroup:
    found: typer.Typer = import_module(module).app
    return get_group(found)
