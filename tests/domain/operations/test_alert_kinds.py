"""The table of alert kinds: whole, true to the code, and what docs/reference/alerts.md says."""

import ast
from collections.abc import Iterator
from pathlib import Path

import app
from app.domain.operations.alert_kinds import KINDS, SEVERITIES, find_kind
from docs.alerts import PAGE, render_page

APP = Path(app.__file__).parent
# What raises an alert, and which argument is its kind.
RAISING = {"raise_alert": 1, "Alarm": 0, "PendingAlert": 0, "_alert": 0, "_tell": 0}
# Calls that pass on what a call above has named.
PASSING_ON = {
    ("flows/operations/deferred_writes.py", "kind"),
    ("flows/operations/housekeeping.py", "kind"),
    ("flows/operations/alarms/raise_alarms.py", "kind"),
}


def list_modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(APP.rglob("*.py")):
        yield str(path.relative_to(APP)), ast.parse(path.read_text())


def read_constants(tree: ast.Module) -> dict[str, str]:
    """The texts that a module names."""
    return {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name) and isinstance(node.value.value, str)
    }


def read_names(tree: ast.Module, constants: dict[str, dict[str, str]]) -> dict[str, str]:
    """The texts that names stand for in a module, its imports included."""
    names = read_constants(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            path = f"{node.module.removeprefix('app.').replace('.', '/')}.py"
            for alias in node.names:
                if alias.name in constants.get(path, {}):
                    names[alias.asname or alias.name] = constants[path][alias.name]
    return names


def find_raised(path: str, tree: ast.Module, names: dict[str, str]) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = node.func.id if isinstance(node.func, ast.Name) else ""
        called = node.func.attr if isinstance(node.func, ast.Attribute) else called
        if called not in RAISING or len(node.args) <= RAISING[called]:
            continue
        kind = node.args[RAISING[called]]
        if isinstance(kind, ast.Starred) or isinstance(node.args[0], ast.Starred):
            continue
        if called == "_tell" and path != "flows/operations/alarms/watch_storage.py":
            continue
        if isinstance(kind, ast.Constant):
            yield str(kind.value)
            continue
        name = kind.id if isinstance(kind, ast.Name) else ast.unparse(kind)
        if (path, name) not in PASSING_ON:
            assert name in names, f"{path}: which kind of alert is {name}?"
            yield names[name]


def test_every_alert_that_the_code_raises_is_in_the_table_and_no_other() -> None:
    modules = dict(list_modules())
    constants = {path: read_constants(tree) for path, tree in modules.items()}
    raised = {
        kind
        for path, tree in modules.items()
        for kind in find_raised(path, tree, read_names(tree, constants))
    }
    assert raised == set(KINDS)


def test_each_kind_says_how_bad_it_is_and_what_to_do() -> None:
    for kind in KINDS.values():
        assert kind.severity in SEVERITIES
        assert len(kind.runbook) > 60, kind.name
        assert kind.open_while[0].islower()
        assert not kind.open_while.endswith(".")
        assert kind.runbook.count("`") % 2 == 0, kind.name
        assert kind.runbook.endswith("."), kind.name


def test_a_kind_of_another_release_is_a_warning() -> None:
    assert find_kind("of-tomorrow").severity == "warning"


def test_the_page_for_people_is_made_from_the_table() -> None:
    assert PAGE.read_text() == render_page(), "run `make docs`"
