"""TLS to a real server: every sslmode, client certificates, and what is wrong in one line."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.domain.errors import LetterboxError, SetupError
from app.storage.db.database import Connection, open_database
from app.storage.db.dumps import dump_postgres
from tests.support.endpoints.certificates import Authority, make_authority
from tests.support.service import run_command
from tests.support.storage.postgres import PostgresServer
from tests.support.storage.postgres_place import find_account

USED = "SELECT ssl, client_dn IS NOT NULL FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("tls") / "ours")


@pytest.fixture(scope="module")
def server(authority: Authority) -> Iterator[PostgresServer]:
    """It calls itself `localhost`; `sure` must show a certificate, `never` must not use TLS."""
    authority.issue("localhost")
    authority.issue("sure")
    make_authority(authority.folder / "theirs")
    server = PostgresServer()
    try:
        server.start()
        home = Path(str(server.fetch("SHOW data_directory")[0][0]))
        for source, name in (("localhost.crt", "server.crt"), ("localhost.key", "server.key")):
            place(authority.folder / source, home / name)
        place(authority.certificate, home / "root.crt")
        rules = home / "pg_hba.conf"
        rules.write_text(
            "hostssl all sure all cert\nhostnossl all sure all reject\n"
            "hostssl all never all reject\n" + rules.read_text()
        )
        server.execute("ALTER SYSTEM SET ssl_ca_file = 'root.crt'")
        server.execute("ALTER SYSTEM SET ssl = on")
        server.execute("CREATE ROLE sure LOGIN SUPERUSER")
        server.execute("CREATE ROLE never LOGIN")
        server.restart()
        yield server
    finally:
        server.close()


def place(source: Path, target: Path) -> None:
    shutil.copy(source, target)
    target.chmod(0o600)
    account = find_account()
    if account is not None:
        os.chown(target, *account)


def write_url(server: PostgresServer, authority: Authority, text: str) -> str:
    """`text` is user@host, then the parameters; CA, CERT and KEY stand for files."""
    folder = authority.folder
    files = {"THEIRS": folder / "theirs/authority.crt"}
    files |= {"CA": authority.certificate, "CERT": folder / "sure.crt", "KEY": folder / "sure.key"}
    for name, path in files.items():
        text = text.replace(f"={name}", f"={path}")
    who, _, parameters = text.partition("?")
    return f"postgresql://{who}:{server.port}/postgres?{parameters}"


def read_use(conn: Connection) -> tuple[bool, bool]:
    ssl, has_client = conn.exec_driver_sql(USED).one()
    return bool(ssl), bool(has_client)


async def use(url: str) -> tuple[bool, bool]:
    database = open_database(url, Path())
    try:
        return await database.read(read_use)
    finally:
        await database.close()


def find_refusal(url: str, dump: Path) -> str:
    try:
        dump_postgres(url, dump)
    except SetupError as error:
        return str(error).rpartition("because of ")[2]
    return ""


@pytest.mark.parametrize(
    ("text", "used"),
    [
        ("postgres@localhost?sslmode=disable", (False, False)),
        ("never@localhost?sslmode=allow", (False, False)),
        ("never@localhost?sslmode=prefer", (False, False)),
        ("postgres@localhost?", (True, False)),
        ("postgres@localhost?sslmode=prefer", (True, False)),
        ("postgres@127.0.0.1?sslmode=require", (True, False)),
        ("postgres@127.0.0.1?sslmode=verify-ca&sslrootcert=CA", (True, False)),
        ("postgres@localhost?sslmode=verify-full&sslrootcert=CA", (True, False)),
        ("sure@localhost?sslmode=verify-full&sslrootcert=CA&sslcert=CERT&sslkey=KEY", (True, True)),
    ],
)
async def test_each_mode_does_what_it_does_in_libpq(
    server: PostgresServer, authority: Authority, text: str, used: tuple[bool, bool], tmp_path: Path
) -> None:
    url = write_url(server, authority, text)
    assert await use(url) == used
    if "sure" in text:
        # PostgreSQL's own tools, with the same URL; those of an older release go no further.
        assert find_refusal(url, tmp_path / "dump") in {"", "server version mismatch"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("postgres@127.0.0.1?sslmode=verify-full&sslrootcert=CA", "IP address mismatch"),
        ("postgres@localhost?sslmode=verify-full&sslrootcert=THEIRS", "certificate"),
        ("postgres@localhost?sslmode=verify-ca&sslrootcert=THEIRS", "certificate"),
        ("postgres@localhost?sslrootcert=system", "certificate"),
        ("sure@localhost?sslmode=require", "certificate"),
        ("sure@localhost?sslmode=disable", "reject"),
        ("never@localhost?sslmode=require", "reject"),
        ("postgres@localhost?sslmode=verify-full&sslrootcert=/nowhere", "sslrootcert: /nowhere"),
        ("postgres@localhost?sslmode=verify_full", "verify-full"),
    ],
)
async def test_what_is_wrong_is_told_in_one_line(
    server: PostgresServer, authority: Authority, text: str, said: str, tmp_path: Path
) -> None:
    url = write_url(server, authority, text)
    with pytest.raises(LetterboxError, match=said) as refused:
        await use(url)
    assert "\n" not in str(refused.value)
    if "127.0.0.1" in text:
        shown = run_command(tmp_path / "data", "doctor", database_url=url)
        [line] = [each for each in shown.stdout.splitlines() if said in each]
        assert line.startswith("fail  ")
        assert "Traceback" not in shown.stderr


def test_the_machines_own_roots_are_used_where_the_url_says_system(
    server: PostgresServer, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    url = write_url(server, authority, "postgres@localhost?sslrootcert=system")
    done = run_command(tmp_path / "data", "migrate", from_file=True, database_url=url)
    assert done.returncode == 0, done.stderr
