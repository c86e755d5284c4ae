"""A place for spools, a disk that can fail, and names that count up."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.storage.faulty_disk import FaultyDisk


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "data" / "spool"


@pytest.fixture
def disk() -> Iterator[FaultyDisk]:
    with FaultyDisk().installed() as disk:
        yield disk


@pytest.fixture
def names() -> Iterator[str]:
    return (f"spool.{number}" for number in itertools.count(1))
