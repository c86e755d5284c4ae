"""The simulator's page has every switch, number, code, endpoint and command."""

import json
from pathlib import Path

import pytest

from app.cli.process.simulate import app
from app.simulator.actions.codes import ERROR_TEXTS
from app.simulator.actions.magic import CODE_NUMBERS, list_magic_numbers
from app.simulator.control import Control
from app.simulator.state.faults import Fault
from app.simulator.state.switches import Switches
from tests.simulator.play import Played

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "simulator.md"


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text("utf-8")


def switch_row(name: str) -> str:
    field = Switches.model_fields[name]
    default = json.dumps(Switches().model_dump(mode="json")[name])
    return f"| {name} | `{default}` | {field.description} |"


@pytest.mark.parametrize("name", Switches.model_fields)
def test_each_switch_is_documented_with_its_default(page: str, name: str) -> None:
    assert switch_row(name) in page


def test_each_magic_number_is_documented(page: str) -> None:
    rows = [
        f"| {number} | {meaning} |"
        for number, meaning in list_magic_numbers().items()
        if number not in CODE_NUMBERS
    ]
    assert [row for row in rows if row not in page] == []


@pytest.mark.parametrize("code", ERROR_TEXTS)
def test_each_error_code_is_documented_with_a_cause(page: str, code: int) -> None:
    [row] = [line for line in page.splitlines() if line.startswith(f"| {code} |")]
    _, _, text, cause, number, _ = (cell.strip() for cell in row.split("|"))
    assert text == ERROR_TEXTS[code]
    assert cause
    assert number == f"447700900{-code}"


def test_each_endpoint_is_documented(page: str) -> None:
    for route in Control(Played().app.simulator).routes():
        methods = ", ".join(sorted((route.methods or set()) - {"HEAD"}))
        assert f"| {methods} {route.path} |" in page


def test_each_field_of_a_fault_is_documented(page: str) -> None:
    for name in Fault.model_fields:
        assert f"`{name}`" in page


def test_each_command_is_documented(page: str) -> None:
    for command in app.registered_commands:
        assert command.callback is not None
        assert f"letterbox simulate {command.name or command.callback.__name__}" in page
