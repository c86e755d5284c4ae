"""Cuts sequences into batches."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def cut(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Batches of `size` items, the last one perhaps shorter."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
