"""Why no connection comes about is one line, which says what to do and repeats no password."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app.domain.errors import DatabaseAway, LoginRefused
from app.storage.db.database import open_database
from app.storage.db.postgres import connector
from tests.support.storage.postgres import PostgresServer

SETTING = "LETTERBOX_DATABASE_URL"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """`keeper` has a password, `barred` may not come in, `few` has no connection left."""
    server = PostgresServer()
    try:
        server.start()
        rules = Path(str(server.fetch("SHOW data_directory")[0][0])) / "pg_hba.conf"
        rules.write_text(
            "host all keeper all scram-sha-256\nhost all barred all reject\n" + rules.read_text()
        )
        server.restart()
        server.execute("CREATE ROLE keeper LOGIN PASSWORD 'the right one'")
        server.execute("CREATE ROLE barred LOGIN")
        server.execute("CREATE ROLE few LOGIN CONNECTION LIMIT 0")
        server.execute("CREATE ROLE reader LOGIN")
        server.execute("ALTER ROLE reader SET default_transaction_read_only = on")
        server.execute("CREATE DATABASE closed")
        server.execute("REVOKE CONNECT ON DATABASE closed FROM PUBLIC")
        yield server
    finally:
        server.close()


async def find_refusal(url: str) -> DatabaseAway:
    database = open_database(url, Path())
    try:
        with pytest.raises(DatabaseAway) as refused:
            await database.read(lambda conn: conn.exec_driver_sql("SELECT 1").close())
    finally:
        await database.close()
    said = str(refused.value)
    assert "\n" not in said
    assert "a-password" not in said
    assert "<class" not in said
    return refused.value


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (
            "127.0.0.1:1/x",
            "nothing listens at 127.0.0.1:1; start PostgreSQL, or correct host and port",
        ),
        ("localhost:1/x", "nothing listens at localhost:1; start PostgreSQL"),
        ("nowhere.invalid/x", "the host of nowhere.invalid cannot be looked up"),
        ("/x?host=/nowhere", "there is no socket at /nowhere; start PostgreSQL, or correct"),
    ],
)
async def test_a_place_without_a_server_is_named(place: str, said: str) -> None:
    refused = await find_refusal(f"postgresql://me:a-password@{place}")
    assert said in str(refused)
    assert SETTING in str(refused)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("nobody@{here}/postgres", 'refuses the login: role "nobody" does not exist; correct the'),
        ("keeper:a-password@{here}/postgres", "password authentication failed for user"),
        ("keeper@{here}/postgres", "refuses the login: "),
        ("barred@{here}/postgres", "or the server's pg_hba.conf"),
        ("few@{here}/postgres", "or run fewer processes of Letterbox"),
        (
            "postgres@{here}/absent",
            'database "absent" does not exist; create it, or correct the name',
        ),
        ("reader@{here}/closed", "grant it to this user, or name another one"),
        ("reader@{here}/postgres", "takes no writes, as a standby does; name the primary"),
        ("postgres@{here}/postgres?sslmode=require", "offers no TLS, or is not PostgreSQL"),
    ],
)
async def test_what_the_server_refuses_is_said_with_what_to_do(
    server: PostgresServer, place: str, said: str
) -> None:
    refused = await find_refusal(f"postgresql://{place.format(here=f'127.0.0.1:{server.port}')}")
    assert said in str(refused)
    assert f"127.0.0.1:{server.port}" in str(refused)
    assert isinstance(refused, LoginRefused) is ("refuses the login" in str(refused))


@asynccontextmanager
async def listening(answer: bytes | None) -> AsyncIterator[int]:
    """A server of another kind: None is one that says nothing."""
    held = []

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)
        if answer is not None:
            await reader.read(8)
            writer.write(answer)
            writer.close()

    server = await asyncio.start_server(meet, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for each in held:
            each.close()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "offers no TLS, or is not PostgreSQL"),
        (b"", "ends the connection; look at PostgreSQL's log"),
        (None, "does not answer; check"),
    ],
)
async def test_a_place_where_something_else_listens_is_named(
    answer: bytes | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connector, "CONNECT_SECONDS", 0.5)
    async with listening(answer) as port:
        refused = await find_refusal(f"postgresql://me:a-password@127.0.0.1:{port}/x")
    assert f"127.0.0.1:{port} {said}" in str(refused)
