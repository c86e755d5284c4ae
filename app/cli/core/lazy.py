"""Groups of commands whose modules are imported only when somebody asks for one of them.

Most of a command's time is spent on imports, and a shell script calls many.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_group


def add_lazily(app: typer.Typer, name: str, module: str, *, about: str) -> None:
    """Add the group that `module` has as `app`; `about` is its help, for it has to be at hand."""

    class LazyGroup(TyperGroup):
        """Stands for the group until that is needed."""

        def make_context(self, *args: Any, **extra: Any) -> Any:
            return load_group(module).make_context(*args, **extra)

        def list_commands(self, ctx: Any) -> list[str]:
            return load_group(module).list_commands(ctx)

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            return load_group(module).get_command(ctx, cmd_name)

    app.add_typer(typer.Typer(cls=LazyGroup, help=about), name=name)


def add_all_lazily(app: typer.Typer, groups: Mapping[str, tuple[str, str]]) -> None:
    """Add groups by name, each with its module and its help."""
    for name, (module, about) in groups.items():
        add_lazily(app, name, module, about=about)


def load_group(module: str) -> TyperGroup:
    """The real group."""
    found: typer.Typer = import_module(module).app
    return get_group(found)
