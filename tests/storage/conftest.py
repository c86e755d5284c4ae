"""A place for spools, a disk that can fail, and names that count up."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.faulty_disk import FaultyDisk


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "data" / "spool"


@pytest.fixture
def disk() -> FaultyDisk:
    return FaultyDisk()


@pytest.fixture
def make_id() -> Callable[[], str]:
    counter = itertools.count(1)
    return lambda: f"spool-{next(counter)}"
