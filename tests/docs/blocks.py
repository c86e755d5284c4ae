"""The blocks of code on the pages, and the commands in them."""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.docs.pages import ROOT, list_pages

_BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
_COMMENT = re.compile(r"\s+# .*$")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: `language` is the word after the fence, "" for none."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@dataclass(frozen=True, slots=True)
class Command:
    """A command as a shell takes it, and the lines that the page shows below it."""

    line: str
    shown: tuple[str, ...] = ()


def list_blocks() -> list[Block]:
    return [block for page in list_pages() for block in read_blocks(page)]


def read_blocks(page: Path) -> Iterator[Block]:
    text = page.read_text()
    for found in _BLOCK.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        yield Block(page, line, found[2], textwrap.dedent(found[3]))


def list_commands(block: Block) -> list[Command]:
    """The commands of a block of `sh`, or of `console`, where each begins with `$ `."""
    lines = block.text.replace("\\\n", "").splitlines()
    if block.language == "sh":
        stripped = (_COMMENT.sub("", line).strip() for line in lines)
        return [Command(line) for line in stripped if line]
    found: list[Command] = []
    for line in lines:
        if line.startswith("$ "):
            found.append(Command(line.removeprefix("$ ")))
        elif line.strip():
            last = found.pop()
            found.append(Command(last.line, (*last.shown, line)))
    return found
