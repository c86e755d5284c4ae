"""A release: one version everywhere, and a changelog that names it."""

import re
import tomllib
from datetime import date
from pathlib import Path

import pytest
import yaml

from app import __version__

ROOT = Path(__file__).parents[1]
HEADING = re.compile(r"^## \[(.+?)\](?: - (\S+))?$", re.MULTILINE)
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_version_is_semantic() -> None:
    assert re.fullmatch(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)", __version__)


@pytest.mark.parametrize(
    ("file", "pattern"),
    [
        ("Dockerfile", r"org\.opencontainers\.image\.version=(\S+)"),
        ("docker-compose.yml", r"image: letterbox:(\S+)"),
        ("docs/deploy/kubernetes/kustomization.yaml", r'newTag: "(\S+)"'),
    ],
)
def test_what_runs_letterbox_names_this_version(file: str, pattern: str) -> None:
    assert set(re.findall(pattern, (ROOT / file).read_text())) == {__version__}


def test_every_container_of_ours_runs_the_same_image() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    others = {"postgres", "caddy"}
    images = {each["image"] for name, each in services.items() if name not in others}
    assert images == {f"letterbox:{__version__}"}


def test_the_changelog_begins_with_what_is_unreleased_and_then_this_version() -> None:
    found = HEADING.findall((ROOT / "CHANGELOG.md").read_text())
    assert found[0] == ("Unreleased", "")
    assert found[1][0] == __version__
    versions = [tuple(map(int, version.split("."))) for version, _ in found[1:]]
    assert versions == sorted(set(versions), reverse=True)
    days = [date.fromisoformat(day) for _, day in found[1:]]
    assert days == sorted(days, reverse=True)


def test_the_changelog_sorts_changes_by_the_kinds_of_keep_a_changelog() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    assert len(HEADING.findall(text)) == len(re.findall(r"^## ", text, re.MULTILINE))
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        kinds = re.findall(r"^### (.+)$", section, re.MULTILINE)
        assert set(kinds) <= KINDS
        assert len(kinds) == len(set(kinds))


def test_the_pythons_that_are_named_are_those_that_are_tested() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = [
        each.rpartition(" :: ")[2]
        for each in project["classifiers"]
        if re.search(r"Python :: 3\.", each)
    ]
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    assert workflow["jobs"]["check"]["strategy"]["matrix"]["python"] == named
    assert project["requires-python"] == f">={named[0]}"
