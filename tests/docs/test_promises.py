"""docs/promises.md: every promise has a proof that exists."""

import re

from tests.docs.pages import ROOT

PAGE = ROOT / "docs/promises.md"


def list_rows() -> list[list[str]]:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return [each for each in cells if each[0] != "Promise"]


def test_every_promise_has_a_proof_and_a_figure_or_says_that_there_is_none() -> None:
    rows = list_rows()
    assert len(rows) > 25
    for promise, proofs, figure in rows:
        assert promise
        assert "::" in proofs or "](speed.md)" in proofs
        assert figure == "not yet measured" or re.search(r"\d", figure)


def test_every_test_that_is_named_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE.read_text())
    assert len(named) > 50
    missing = [
        f"{file}::{test}"
        for file, test in named
        if not re.search(rf"^(async )?def {test}\(", read(file), re.MULTILINE)
    ]
    assert missing == []


def read(file: str) -> str:
    path = ROOT / file
    return path.read_text() if path.is_file() else ""
