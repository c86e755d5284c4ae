"""Renews in docs/promises.md the files in which the tests are that it names."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "promises.md"


def render_page() -> str:
    """The page as it is, with each test where it is now; one that is gone stays as it was."""
    places = _find_tests()
    return re.sub(
        r"`tests/[\w/]+\.py::(\w+)`",
        lambda named: f"`{places[named[1]]}::{named[1]}`" if named[1] in places else named[0],
        PAGE.read_text(),
    )


def _find_tests() -> dict[str, str]:
    return {
        name: str(file.relative_to(ROOT))
        for file in sorted((ROOT / "tests").rglob("test_*.py"), reverse=True)
        for name in re.findall(r"^(?:async )?def (test_\w+)", file.read_text(), re.MULTILINE)
    }
