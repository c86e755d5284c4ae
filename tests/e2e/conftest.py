"""What the tests with real processes stand on: databases, and how much is to be tried."""

import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from tests.conftest import make_template
from tests.e2e.small_disk import SmallDisk, mounted
from tests.e2e.stores import PostgresStore, SqliteStore, Store
from tests.support.storage.postgres import PostgresServer, running_postgres


def pytest_itemcollected(item: pytest.Item) -> None:
    item.add_marker("slow")


@dataclass(frozen=True, slots=True)
class Scale:
    """Small in `make test`; full in `make soak`, which runs the same tests (marked `soak`)."""

    full: bool

    def pick(self, small: int, full: int) -> int:
        return full if self.full else small


@pytest.fixture(scope="session")
def scale() -> Scale:
    return Scale(full=os.environ.get("LETTERBOX_SOAK") == "1")


@pytest.fixture(scope="session")
def durable_server() -> Iterator[PostgresServer]:
    """A server that may be stopped, killed and paused; tests leave it running."""
    with running_postgres(durable=True) as server:
        yield server


@pytest.fixture(scope="session")
def durable_template(durable_server: PostgresServer) -> str:
    return make_template(durable_server)


@pytest.fixture
def durable_store(durable_server: PostgresServer, durable_template: str) -> Iterator[PostgresStore]:
    """A database without a row, of the server that survives what is done to it."""
    if not durable_server.is_running:  # a test before this one failed
        durable_server.start()
    durable_server.resume()
    store = PostgresStore(durable_server, f"e2e_{uuid4().hex}", durable_template)
    yield store
    if durable_server.is_running:
        durable_server.resume()
        durable_server.drop_database(store.name)


@pytest.fixture
def postgres_store(
    postgres_server: PostgresServer, postgres_template: str
) -> Iterator[PostgresStore]:
    """A database without a row, of the fast server."""
    store = PostgresStore(postgres_server, f"e2e_{uuid4().hex}", postgres_template)
    yield store
    postgres_server.drop_database(store.name)


@pytest.fixture
def sqlite_store(tmp_path: Path) -> SqliteStore:
    """The file that `serve` makes in tmp_path/data."""
    return SqliteStore(tmp_path / "data" / "letterbox.sqlite3")


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> Store:
    """A durable database of either kind without a row."""
    name = "sqlite_store" if request.param == "sqlite" else "durable_store"
    found: Store = request.getfixturevalue(name)
    return found


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A file system of 24 MiB of its own: itself the DATA_DIR, so that the log lies elsewhere."""
    _skip_unless_mounting()
    with mounted(tmp_path / "small", mebibytes=24) as disk:
        yield disk


@pytest.fixture
def open_disk() -> Iterator[SmallDisk]:
    """A small file system that every account comes through to, unlike what lies in tmp_path."""
    _skip_unless_mounting()
    with tempfile.TemporaryDirectory(prefix="letterbox-disk-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        with mounted(Path(folder) / "small", mebibytes=24) as disk:
            yield disk


def _skip_unless_mounting() -> None:
    if os.geteuid() != 0 or sys.platform != "linux":
        pytest.skip("only root on Linux can mount a small file system")
