"""The simulator stands alone: nothing of the product is in it, or it would prove nothing."""

import ast
from collections.abc import Iterator
from pathlib import Path

import app.simulator

# How a library's faults are put into words, which has no part in what is tested.
SHARED = {"app.fault_words"}


def imported_modules(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            yield node.module or ""


def test_simulator_imports_nothing_else_of_app() -> None:
    [folder] = map(Path, app.simulator.__path__)
    modules = {name for path in folder.glob("**/*.py") for name in imported_modules(path)}
    assert "app.simulator.state.world" in modules
    foreign = {name for name in modules if name.split(".")[0] == "app"} - SHARED
    assert all(name.startswith("app.simulator") for name in foreign)
