"""What pages mention in a sentence exists: commands with their options, paths and settings."""

import re
from pathlib import Path

import pytest
from typer.core import TyperGroup

from app.settings import PREFIX, Settings
from tests.docs.pages import ROOT, list_pages, read_prose
from tests.test_project import find_command

# What a changelog or a decision says was true on its day.
PAGES = [
    page
    for page in list_pages()
    if page.name != "CHANGELOG.md" and page.parent != ROOT / "docs/decisions"
]
ENDPOINTS = (ROOT / "docs/reference/endpoints.md").read_text()
SPAN = re.compile(r"`([^`\n]+)`")
METHODS = "GET|POST|PUT|PATCH|DELETE"
# Paths of others that a page speaks of.
FOREIGN = re.compile(r"/_simulator|/texts$|/x$")


def list_spans(page: Path) -> list[str]:
    return SPAN.findall(read_prose(page))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_that_is_mentioned_exists(page: Path) -> None:
    for span in list_spans(page):
        words = span.replace("|", " | ").split()
        if words[:1] == ["letterbox"] and len(words) > 1 and words[1][0].islower():
            check_command(words[1:])


def check_command(words: list[str]) -> None:
    """Raises AssertionError where there is no such command, or it has no such option."""
    command = find_command((words[0],))
    if isinstance(command, TyperGroup) and len(words) > 1 and words[1][:1].islower():
        command = find_command((words[0], words[1]))
    known = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
    named = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert named <= known | {"--help"}, words


def list_described() -> set[tuple[str, str]]:
    found = re.findall(rf"^\| `({METHODS}) (\S+)`", ENDPOINTS, re.MULTILINE)
    return {(method, flatten(path)) for method, path in found}


def flatten(path: str) -> str:
    """A path without /api/v1 and without the names of what stands for something."""
    return re.sub(r"\{\w+\}", "{}", path.partition("?")[0].removeprefix("/api/v1")).rstrip("/")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_that_is_mentioned_is_described(page: Path) -> None:
    described = list_described()
    assert len(described) > 80
    unknown = []
    for span in list_spans(page):
        found = re.fullmatch(rf"((?:(?:{METHODS})(?:, )?)+) (/[\w/{{}}.-]+)(?:[? ].*)?", span)
        if found is None or FOREIGN.search(found[2]):
            continue
        methods = found[1].split(", ")
        unknown += [span for each in methods if (each, flatten(found[2])) not in described]
    assert unknown == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_setting_that_is_mentioned_exists(page: Path) -> None:
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | {PREFIX}
    known |= {"LETTERBOX_SOAK", "LETTERBOX_TEST_POSTGRES", "LETTERBOX_KEY"}  # not of the service
    assert set(re.findall(r"LETTERBOX_\w*", page.read_text())) <= known
