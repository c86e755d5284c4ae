"""Every command and example of the documentation is run, or listed here with the reason."""

import csv
import json
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from app.settings import PREFIX, Settings, load_settings
from tests.docs.blocks import Block, Command, list_blocks, list_commands
from tests.docs.pages import ROOT
from tests.docs.playground import Playground, list_fields, open_playground, read_fields
from tests.test_project import find_command

pytestmark = pytest.mark.slow

BLOCKS = list_blocks()
# What begins like this is not run, but its syntax, targets and options are checked.
NOT_RUN: Mapping[str, str] = {
    "age": "encrypts with a program that the tests do not have",
    "cp .env.example .env": "would be the settings of all that follows; tests/test_project.py",
    "docker": "needs Docker",
    "git pull": "changes the checkout",
    "LETTERBOX_DATABASE_URL=": "needs a PostgreSQL with roles; tests/storage/db/postgres has one",
    "letterbox move": "needs a second database; tests/flows/operations moves",
    "letterbox serve": "is what the other commands talk to",
    "letterbox simulate serve": "is what the other commands talk to",
    "make": "installs, or serves until it is stopped",
    "pip install": "installs",
    "pipx": "installs",
    "psql": "needs a superuser of PostgreSQL; tests/storage/db/postgres has one",
    "sudo": "needs root",
    "uv tool": "installs",
}
# Blocks in these languages that other tests run, or that need a program the tests do not have.
ELSEWHERE: Mapping[str, str] = {
    "apache": "needs Apache",
    "caddyfile": "needs Caddy",
    "haproxy": "tests/e2e/operations/test_proxies.py",
    "http": "tests/flows/webhooks checks what is sent",
    "nginx": "tests/e2e/operations/test_proxies.py",
    "text": "nothing to run",
}
# What the blocks of JSON are sent to.
REQUESTS: Mapping[tuple[str, ...], str] = {("source", "body", "rows"): "/batches"}
# Commands of one word among those that are listed.
SINGLE = {"move", "serve"}


def select(*languages: str) -> list[Block]:
    return [block for block in BLOCKS if block.language in languages]


@pytest.fixture(scope="module")
def playground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Playground]:
    with open_playground(tmp_path_factory.mktemp("docs")) as opened:
        [rules, *_] = [each for each in select("yaml") if each.page.stem == "getting-started"]
        (opened.folder / "rules.yaml").write_text(rules.text)
        opened.service.forward("1", msg="Hello")
        opened.service.call(
            "/outbound",
            method="POST",
            body={"to": "447700900123", "source": "447700900100", "body": "Hello"},
        )
        yield opened


def test_every_block_is_run_or_listed() -> None:
    known = {"console", "csv", "ini", "js", "json", "python", "sh", "yaml", *ELSEWHERE}
    assert [str(block) for block in BLOCKS if block.language not in known] == []


def test_blocks_of_text_hide_no_command() -> None:
    generated = ROOT / "docs/reference/cli.md"
    hidden = [
        str(block)
        for block in select("text")
        if block.page != generated and re.search(r"^\$ ", block.text, re.MULTILINE)
    ]
    assert hidden == []


def test_each_listed_reason_is_needed() -> None:
    lines = [command.line for block in select("sh", "console") for command in list_commands(block)]
    unneeded = [
        start
        for start in NOT_RUN
        if not any(line.startswith(start) or f"| {start}" in line for line in lines)
    ]
    assert unneeded == []
    assert set(ELSEWHERE) <= {block.language for block in BLOCKS}


PAGES = sorted({block.page for block in select("sh", "console")})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_of_a_page_do_what_it_says(playground: Playground, page: Path) -> None:
    for block in select("sh", "console"):
        for command in list_commands(block) if block.page == page else ():
            if is_listed(command.line):
                check_syntax(command.line)
            else:
                printed = playground.run(command.line, command_is_answered(command))
                assert command_is_answered(command)(printed), (command, printed)


def is_listed(line: str) -> bool:
    return any(line.startswith(start) or f"| {start}" in line for start in NOT_RUN)


def check_syntax(line: str) -> None:
    checked = subprocess.run(["bash", "-n", "-c", line], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    words = shlex.split(line)
    if words[0] == "make":
        assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE), line
    if words[0] == "letterbox" and "|" not in words:
        path = words[1:2] if words[1] in SINGLE else words[1:3]
        find_command(tuple(path)).make_context(path[-1], words[1 + len(path) :])


def command_is_answered(command: Command) -> Callable[[str], bool]:
    """Whether what was printed has the lines, or the fields, that the page shows."""
    shown = "\n".join(command.shown)

    def is_answered(printed: str) -> bool:
        if shown.startswith("{"):
            return read_fields(shown) <= list_fields(printed)
        starts = (line.partition("…")[0].strip() for line in command.shown)
        return all(flatten(start) in flatten(printed) for start in starts)

    return is_answered


def flatten(printed: str) -> str:
    """Without what differs each time: ids and numbers."""
    return re.sub(r"\d+", "0", re.sub(r"\b(msg|out|evt|rul)_\w+", "ID", printed))


@pytest.mark.parametrize("block", select("json"), ids=str)
def test_a_request_in_json_is_taken(playground: Playground, block: Block) -> None:
    body = json.loads(block.text)
    answer = playground.service.call(REQUESTS[tuple(body)], method="POST", body=body)
    assert answer.status == 202, answer.body


@pytest.mark.parametrize("block", select("ini"), ids=str)
def test_settings_on_a_page_are_settings(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = re.findall(r"^(\w+)=", block.text, re.MULTILINE)
    assert names
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    assert set(names) <= known
    for name in known:
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "settings"
    file.write_text(block.text)
    loaded = load_settings(_env_file=file)
    assert {name.removeprefix(PREFIX).lower() for name in names} <= loaded.model_fields_set


@pytest.mark.parametrize("block", select("yaml"), ids=str)
def test_yaml_on_a_page_is_understood(playground: Playground, block: Block) -> None:
    parsed = yaml.safe_load(block.text)
    if isinstance(parsed, list):
        (playground.folder / "some.yaml").write_text(block.text)
        playground.run("letterbox rules import --dry-run some.yaml")
    else:
        assert set(parsed) <= {"scrape_configs", "rule_files"}
        folder = block.page.parent
        assert all((folder / name).is_file() for name in parsed["rule_files"])


@pytest.mark.parametrize("block", select("csv"), ids=str)
def test_a_table_on_a_page_has_a_number_in_each_row(block: Block) -> None:
    rows = list(csv.DictReader(block.text.splitlines()))
    assert rows
    assert all(row["number"] and None not in row for row in rows)
