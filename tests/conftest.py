"""What many tests stand on: both databases, migrated, and a clock that stands still."""

import asyncio
import contextlib
import gc
import importlib
import os
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from app.storage.db.database import Database, open_database
from app.storage.db.migrate import migrate
from tests.support.clock import NOW as NOW
from tests.support.kit import Kit, open_kit
from tests.support.outbox import Outbox, open_outbox
from tests.support.storage import known_server
from tests.support.storage.postgres import MEMORY, PostgresServer, running_postgres
from tests.support.storage.postgres_place import has_room
from tests.support.storage.reused import ReusedDatabases

# Where one of these runs, there is a server, a browser or a service to wait for.
SLOW_FIXTURES = frozenset(
    {"postgres_server", "durable_server", "browser", "office", "bare_service"}
)


def pytest_collection(session: pytest.Session) -> None:
    """Have each worker import a share of all the files first, so that it compiles them for all.

    On a clean checkout to compile them with their assertions took each worker ten seconds.
    """
    given = getattr(session.config, "workerinput", None)
    root = session.config.rootpath
    if given is None or [root / each for each in session.config.args] != [root / "tests"]:
        return
    number = int(given["workerid"].removeprefix("gw"))
    for file in sorted(root.glob("tests/**/test_*.py"))[number :: given["workercount"]]:
        # The collection, which follows, says what is wrong with it.
        with contextlib.suppress(Exception, pytest.skip.Exception):
            importlib.import_module(".".join(file.relative_to(root).with_suffix("").parts))


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what `make test-fast` leaves out, as far as fixtures show it, and what one worker does.

    A file's tests share what is made for its module, those with a browser one and its service. Real
    processes have nothing in common, and mostly wait: each such test goes where there is room.
    """
    assert isinstance(item, pytest.Function)
    parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
    if "postgresql" in parameters or not SLOW_FIXTURES.isdisjoint(item.fixturenames):
        item.add_marker("slow")
    file = item.location[0]
    if item.get_closest_marker("xdist_group") is None and not file.startswith("tests/e2e/"):
        group = "browser" if "browser" in item.fixturenames else file
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what takes longest, keep groups on one worker, and drop rows that say nothing new.

    xdist 3.8 writes groups where pytest 9.2 no longer reads.
    """
    dropped = _find_repeated(items)
    config.hook.pytest_deselected(items=dropped)
    items[:] = sorted((each for each in items if each not in dropped), key=_rank)
    for item in items:
        grouped = vars(item).get("_nodeid")
        if grouped is not None:
            item._id = type(item.id).parse(grouped)


def _find_repeated(items: list[pytest.Item]) -> set[pytest.Item]:
    """Of tests marked `alike`, those on PostgreSQL but for the first row of their table."""
    seen: set[str] = set()
    repeated = set()
    for item in items:
        name, _, row = item.nodeid.partition("[")
        if item.get_closest_marker("alike") and "postgresql" in row:
            if name in seen:
                repeated.add(item)
            seen.add(name)
    return repeated


def _rank(item: pytest.Item) -> int:
    grouped = item.get_closest_marker("xdist_group")
    if grouped is None:
        return 2
    return {"durable server": 0, "browser": 1}.get(grouped.args[0], 3)


# The collector's walks took a tenth of all the time.
gc.set_threshold(50_000, 20, 20)
# Each request in process looked for this package anew, to learn whether trio runs.
sys.modules["sniffio"] = None  # type: ignore[assignment]
# SQLite and the spool wait for a disk at each commit.
if has_room(MEMORY):
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def pytest_collection_finish() -> None:
    """Have the collector pass over what was imported."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A real server for this test process."""
    with running_postgres() as server:
        known_server.remember(server.port)
        yield server


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> str:
    return make_template(postgres_server)


def make_template(server: PostgresServer) -> str:
    """A migrated database to copy: migrating each test's anew would take longer than most tests."""
    name = "migrated"
    asyncio.run(_migrate(server.create_database(name), Path()))
    return name


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file to copy."""
    path = tmp_path_factory.mktemp("template") / "migrated.sqlite3"
    asyncio.run(_migrate("", path))
    return path


async def _migrate(url: str, path: Path) -> None:
    opened = open_database(url, path)
    try:
        await migrate(opened)
    finally:
        await opened.close()


@pytest.fixture(scope="session")
def postgres_databases(
    postgres_server: PostgresServer, postgres_template: str
) -> Iterator[ReusedDatabases]:
    """Migrated databases, lent to one test after the other."""
    databases = ReusedDatabases(postgres_server, postgres_template)
    yield databases
    databases.close()


@pytest.fixture
def postgres_url(
    postgres_server: PostgresServer, postgres_databases: ReusedDatabases
) -> Iterator[str]:
    """A migrated database without a row."""
    with postgres_databases.lend() as name:
        yield postgres_server.url(name)


@pytest.fixture
def sqlite_url(tmp_path: Path, sqlite_template: Path) -> str:
    """A migrated file without a row."""
    path = tmp_path / "letterbox.sqlite3"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated database of either kind, as DATABASE_URL names it."""
    name = "sqlite_url" if request.param == "sqlite" else "postgres_url"
    return str(request.getfixturevalue(name))


@pytest.fixture(scope="module")
def shared_sqlite_url(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> str:
    """A migrated file for all those tests of a module that share what stands on it."""
    path = tmp_path_factory.mktemp("shared") / "letterbox.sqlite3"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture(scope="module")
def shared_postgres_url(
    postgres_server: PostgresServer, postgres_databases: ReusedDatabases
) -> Iterator[str]:
    """A migrated database for the same."""
    with postgres_databases.lend() as name:
        yield postgres_server.url(name)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_database_url(request: pytest.FixtureRequest) -> str:
    """A migrated database of either kind for the same."""
    name = "shared_sqlite_url" if request.param == "sqlite" else "shared_postgres_url"
    return str(request.getfixturevalue(name))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A migrated database of either kind."""
    opened = open_database(database_url, Path(database_url.removeprefix("sqlite:///")))
    yield opened
    await opened.close()


@pytest.fixture
async def kit(database_url: str, tmp_path: Path) -> AsyncIterator[Kit]:
    """The whole web application in process, on either database."""
    async with open_kit(database_url, tmp_path / "data") as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_kit(
    shared_database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Kit]:
    """One for all those tests of a module that change nothing: to start it costs more than they.

    They are marked `asyncio(loop_scope="module")`, as all that take a shared_ fixture.
    """
    async with open_kit(shared_database_url, tmp_path_factory.mktemp("shared") / "data") as opened:
        yield opened


@pytest.fixture
async def outbox(database: Database) -> AsyncIterator[Outbox]:
    """The outbox on either database, with a simulated provider in process."""
    async with open_outbox(database) as opened:
        yield opened
