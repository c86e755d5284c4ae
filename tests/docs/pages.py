"""The pages of the documentation: their headings and links as a forge shows them."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
FRONT = (ROOT / "README.md", ROOT / "docs/README.md")
_FENCED = re.compile(r"^( *)```.*?^\1```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def list_pages() -> list[Path]:
    """Every page that is in the repository or about to be."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [ROOT / name for name in listed.splitlines() if (ROOT / name).is_file()]


def read_prose(page: Path) -> str:
    """The page without its blocks of code."""
    return _FENCED.sub("", page.read_text())


def list_links(page: Path) -> list[str]:
    """What it links to in this repository, with anchors, as written."""
    return [link for link in _LINK.findall(read_prose(page)) if "://" not in link]


def list_anchors(page: Path) -> set[str]:
    """The names of its headings in addresses; one that is repeated gets a number."""
    found: set[str] = set()
    for heading in _HEADING.findall(read_prose(page)):
        text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        name = base = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        count = 0
        while name in found:
            count += 1
            name = f"{base}-{count}"
        found.add(name)
    return found
