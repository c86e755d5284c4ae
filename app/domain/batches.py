"""Cuts long sequences into pieces of a size that one transaction takes."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def cut(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """The items in pieces of `size`, the last one perhaps shorter."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
