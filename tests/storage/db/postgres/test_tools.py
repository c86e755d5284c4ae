"""PostgreSQL's own tools get the URL of the one server that is written to."""

from pathlib import Path
from uuid import uuid4

import pytest

from app.domain.errors import SetupError
from app.storage.db.database import PostgresDatabase
from app.storage.db.dumps import check_postgres_dump, dump_postgres, load_postgres
from tests.support.storage.postgres import PostgresServer
from tests.support.storage.postgres_place import find_free_port

PARAMETERS = (
    "options=-c%20statement_timeout%3D60s&application_name=a+b&target_session_attrs=primary"
)


async def test_of_several_servers_a_dump_is_taken_from_the_one_in_use_with_all_its_parameters(
    postgres_server: PostgresServer, postgres_url: str, tmp_path: Path
) -> None:
    name, target = postgres_url.rpartition("/")[2], f"tools_{uuid4().hex}"
    hosts = f"127.0.0.1:{find_free_port()},127.0.0.1:{postgres_server.port}"
    database = PostgresDatabase(f"postgres://postgres:p%40ss@{hosts}/{name}?{PARAMETERS}")
    url = await database.name_server()
    await database.close()
    assert url.partition("@")[2].partition("/")[0] == f"127.0.0.1:{postgres_server.port}"
    try:
        dump_postgres(url, tmp_path / "dump")
    except SetupError as error:
        if "server version mismatch" in str(error):
            pytest.skip("this machine's pg_dump is of an older release than the server")
        raise
    check_postgres_dump(tmp_path / "dump")
    postgres_server.create_database(target)
    load_postgres(url.replace(name, target), tmp_path / "dump", "SELECT 1;")
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    assert postgres_server.fetch(tables, target) == postgres_server.fetch(tables, name)
    postgres_server.drop_database(target)
