"""Migrations after a release: none of its own is changed, and what it stored is kept."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text

from app import __version__
from app.domain.errors import SetupError
from app.storage.db.database import Connection, Database, open_database
from app.storage.db.migrate import find_revision, is_current, list_revisions, migrate
from tests.api.test_docs import list_operations
from tests.storage.db.migrations.old_rows import upgrade_to
from tests.support.kit import Kit, open_kit
from tests.support.storage.releases import (
    Release,
    digest_migrations,
    find_lost,
    list_empty,
    list_versions,
    load_rows,
    read_release,
)


@pytest.fixture(scope="module", params=list_versions())
def release(request: pytest.FixtureRequest) -> Release:
    return read_release(request.param)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def template(
    request: pytest.FixtureRequest, release: Release, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """What that release left behind, on either kind of database."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('release') / 'letterbox.sqlite3'}"
        asyncio.run(install(url, release))
        yield url
        return
    server, name = request.getfixturevalue("postgres_server"), f"release_{uuid4().hex}"
    url = server.create_database(name)
    asyncio.run(install(url, release))
    yield url
    server.drop_database(name)


@pytest.fixture
def url(request: pytest.FixtureRequest, template: str, tmp_path: Path) -> Iterator[str]:
    """A copy of it."""
    if template.startswith("sqlite"):
        yield f"sqlite:///{shutil.copy(find_path(template), tmp_path)}"
        return
    server, name = request.getfixturevalue("postgres_server"), f"test_{uuid4().hex}"
    yield server.create_database(name, template.rpartition("/")[2])
    server.drop_database(name)


@pytest.fixture
async def left(url: str) -> AsyncIterator[Database]:
    """The copy, opened."""
    opened = open_database(url, find_path(url))
    yield opened
    await opened.close()


def find_path(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


async def install(url: str, release: Release) -> None:
    opened = open_database(url, find_path(url))
    try:
        await opened.write_at_length(partial(upgrade_to, release.revision))
        await opened.write_at_length(partial(load_rows, rows=release.rows))
    finally:
        await opened.close()


def test_no_migration_of_a_release_is_changed_removed_or_put_elsewhere(release: Release) -> None:
    here = digest_migrations()
    count = len(release.migrations)
    assert dict(list(here.items())[:count]) == release.migrations
    assert [name[:4] for name in release.migrations] == list_revisions()[:count]


async def test_a_database_of_a_release_has_a_row_in_every_table(left: Database) -> None:
    assert await left.read(list_empty) == []


async def test_every_later_migration_keeps_what_a_release_stored(
    release: Release, left: Database
) -> None:
    revisions = list_revisions()
    for revision in revisions[revisions.index(release.revision) :]:
        await left.write_at_length(partial(upgrade_to, revision))
        assert await left.read(find_lost, release.rows) == [], revision
    assert await is_current(left)


async def test_what_a_release_writes_fits_the_newest_schema(
    release: Release, database: Database
) -> None:
    """Its processes go on beside newer ones (docs/decisions/0056)."""
    await database.write_at_length(partial(load_rows, rows=release.rows))
    assert await database.read(find_lost, release.rows) == []


LOSSES = {
    "ALTER TABLE messages DROP COLUMN received_raw": ["messages.received_raw"],
    "ALTER TABLE messages RENAME COLUMN raw TO bytes": ["messages.raw"],
    "DROP TABLE conversation_notes": ["conversation_notes"],
    "DELETE FROM opt_outs": ["opt_outs"],
    "UPDATE rules SET reply = 'x'": ["rules"],
}


async def test_a_migration_that_takes_something_away_is_found(
    release: Release, left: Database
) -> None:
    def lose(conn: Connection, statement: str) -> list[str]:
        with conn.begin_nested() as change:
            conn.execute(text(statement))
            lost = find_lost(conn, release.rows)
            change.rollback()
        return lost

    for statement, lost in LOSSES.items():
        assert await left.write_at_length(partial(lose, statement=statement)) == lost


async def test_the_program_serves_what_a_release_stored(url: str, tmp_path: Path) -> None:
    async with open_kit(url, tmp_path / "data") as kit:
        assert await find_unanswered(kit) == []
        assert await kit.find(q="hours") == ["0"]
        await kit.forward("new", msg="Hours again")
        await kit.handle()
        assert await kit.find(q="hours") == ["new", "0"]


async def find_unanswered(kit: Kit) -> list[str]:
    """The lists of the interface, except of what the provider has, that do not answer."""
    document = (await kit.client.get("/openapi.json")).json()
    elsewhere = ("contacts", "groups", "users", "credits", "reports", "events")
    paths = [
        path
        for method, path in list_operations(document)
        if method == "GET" and path.startswith("/api/v1/") and "{" not in path
    ]
    asked = [path for path in paths if path.split("/")[3] not in elsewhere]
    assert len(asked) > 15
    return [path for path in asked if (await kit.client.get(path)).status_code != 200]


async def test_an_older_program_refuses_a_newer_schema_in_one_line(left: Database) -> None:
    newer = text("UPDATE alembic_version SET version_num = '9999'")
    await left.write(lambda conn: conn.execute(newer).rowcount)
    for look in (migrate, is_current, find_revision):
        with pytest.raises(SetupError, match=f"9999, .* Letterbox {__version__} ") as refused:
            await look(left)
        assert "\n" not in str(refused.value)
