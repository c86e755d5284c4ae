"""Writes docs/decisions/README.md, the list of all decisions."""

from pathlib import Path

FOLDER = Path(__file__).parent / "decisions"
PAGE = FOLDER / "README.md"
INTRODUCTION = """\
# Decisions

One page for each decision that someone may want to undo: what was decided, why, what it costs, and
what would change it. `make docs` writes this list.

"""


def render_page() -> str:
    """The whole page."""
    pages = sorted(FOLDER.glob("[0-9]*.md"))
    return INTRODUCTION + "".join(f"- [{_read_title(page)}]({page.name})\n" for page in pages)


def _read_title(page: Path) -> str:
    return page.read_text().partition("\n")[0].removeprefix("# ")
