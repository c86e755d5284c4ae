"""Starts that cannot succeed say why in one line, without a traceback or a secret."""

import os
import socket
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.e2e.stores import PostgresStore, SqliteStore
from tests.support.service import (
    LETTERBOX,
    Service,
    find_free_port,
    make_environment,
    run_command,
    running,
    wait_until,
)


def check_refused(folder: Path, command: str, *parts: str, **settings: Any) -> None:
    """The command ends with status 1 and one line of its own, which names all the parts."""
    ended = run_command(folder, *command.split(), **({"port": 0} | settings))
    assert ended.returncode == 1, ended
    assert "Traceback" not in ended.stderr
    [line] = [each for each in ended.stderr.splitlines() if each.startswith("letterbox: ")]
    for part in parts:
        assert part in line
    assert "a-password" not in ended.stderr + ended.stdout


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", find_free_port()))) as other:
        port = other.getsockname()[1]
        check_refused(tmp_path / "data", "serve", "LETTERBOX_PORT", f":{port}", port=port)


def test_of_two_that_start_at_once_on_a_port_one_ends(tmp_path: Path) -> None:
    port = find_free_port()
    with (
        running(tmp_path / "one", port=port, wait=False) as one,
        running(tmp_path / "two", port=port, wait=False) as two,
    ):
        wait_until(lambda: {one.process.poll(), two.process.poll()} == {None, 1})
        winner, loser = (one, two) if one.process.poll() is None else (two, one)
        winner.wait_until_ready()
        assert loser.read_log().startswith("letterbox: LETTERBOX_HOST, LETTERBOX_PORT: ")
        assert len(loser.read_log().splitlines()) == 1


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/letterbox.sqlite3").write_text("these are not the messages you look for")
    for command in ("serve", "numbers list"):
        check_refused(tmp_path / "data", command, "LETTERBOX_DATABASE_URL", "not a database")


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/missing/letterbox.sqlite3"
    check_refused(tmp_path / "data", "serve", "/missing/letterbox.sqlite3", database_url=url)


def test_a_database_of_a_newer_release_is_left_alone(
    sqlite_store: SqliteStore, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    with closing(sqlite3.connect(sqlite_store.path)) as connection, connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES ('9999')")
    check_refused(tmp_path / "data", "serve", "9999", "newer release")
    assert sqlite_store.list_tables() == ["alembic_version"]


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("postgresql://me:a-password/2@127.0.0.1/x", "LETTERBOX_DATABASE_URL"),
        ("postgresql://me:a-password@127.0.0.1:1/x", "cannot be reached"),
    ],
)
def test_an_address_that_leads_nowhere_is_told_without_its_password(
    tmp_path: Path, url: str, part: str
) -> None:
    check_refused(tmp_path / "data", "migrate", part, database_url=url)


def test_a_database_that_does_not_exist_is_named(
    postgres_store: PostgresStore, tmp_path: Path
) -> None:
    url = postgres_store.server.url("no_such_database")
    check_refused(tmp_path / "data", "migrate", "no_such_database", database_url=url)


def test_a_file_of_settings_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"LETTERBOX_PORT=\xff\xfe\n")
    check_refused(tmp_path / "data", "serve", os.fspath(tmp_path / ".env"))


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("ALL_PROXY=socks5://127.0.0.1:1080", "ALL_PROXY: SOCKS proxies are not supported"),
        ("SSL_CERT_FILE=/nowhere/roots.pem", "SSL_CERT_FILE names no certificates"),
        ("https_proxy=http://me:a-password@127.0.0.1:99999", "HTTPS_PROXY is not the URL"),
        ("HTTP_PROXY=http://me:a-password@host:port", "HTTP_PROXY is not the URL"),
    ],
)
def test_a_proxy_that_cannot_be_one_stops_sending_alone(
    tmp_path: Path, variable: str, said: str
) -> None:
    account: dict[str, Any] = {
        "provider_token": "demo-token",
        "provider_url": "https://provider.invalid/api",
    }
    variables = dict([variable.split("=", 1)])
    with running(tmp_path / "data", variables=variables, **account) as service:
        assert service.forward("1").status == 200
        assert said in service.read_log()
        refused = service.call("/credits")
        assert refused.status == 503
        assert said in refused.json["detail"]
        service.stop()
        assert "Traceback" not in service.read_log()
        assert "a-password" not in service.read_log()


def test_a_folder_of_somebody_else_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    run_command(folder, "migrate")
    folder.chmod(0)
    without_powers: list[str] = []
    if os.getuid() == 0:
        # Root may use every folder; without these powers it is a user like others.
        os.chown(folder, 65534, 65534)
        lost = "-dac_override,-dac_read_search,-fowner"
        without_powers = ["setpriv", f"--bounding-set={lost}"]
    for command in ("serve", "keys list", "doctor", "migrate", "work"):
        ended = subprocess.run(
            [*without_powers, LETTERBOX, *command.split()],
            env=make_environment(data_dir=folder, port=0),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )
        shown = ended.stdout if command == "doctor" else ended.stderr
        assert ended.returncode == 1
        assert "Traceback" not in ended.stderr
        lines = [
            each for each in shown.splitlines() if "cannot be used (Permission denied)" in each
        ]
        assert "LETTERBOX_DATA_DIR" in lines[0]
        assert "run this as the user that it belongs to" in lines[0]
    folder.chmod(0o700)


def test_a_database_that_refuses_the_login_is_said_to(
    postgres_store: PostgresStore, tmp_path: Path
) -> None:
    url = postgres_store.url.replace("://", "://nobody:a-password@", 1)
    if "@" in postgres_store.url:
        url = f"postgresql://nobody:a-password@{postgres_store.url.rpartition('@')[2]}"
    with running(tmp_path / "data", database_url=url, wait=False) as service:
        wait_until(lambda: "database_away" in service.read_log(), what=service.log)
        wait_until(lambda: can_ask(service), what=service.log)
        part = service.ask("/readyz").json["database"]
        assert part["detail"].startswith("it refuses the user name or password: check LETTERBOX_")
        assert service.forward("1").status == 200


def can_ask(service: Service) -> bool:
    try:
        return service.ask("/livez").status == 200
    except OSError:
        return False


def test_a_parameter_of_the_database_that_cannot_be_kept_is_named(tmp_path: Path) -> None:
    url = "postgresql://me:a-password@127.0.0.1/x?channel_binding=require"
    for command in ("serve", "migrate", "numbers list"):
        check_refused(tmp_path / "data", command, "channel_binding", database_url=url)
    doctor = run_command(tmp_path / "data", "doctor", database_url=url)
    assert "fail  LETTERBOX_DATABASE_URL: channel_binding cannot be kept" in doctor.stdout


def test_several_processes_name_such_a_parameter_without_a_traceback(tmp_path: Path) -> None:
    ended = run_command(
        tmp_path / "data",
        "serve",
        port=0,
        processes=2,
        database_url="postgresql://me:a-password@127.0.0.1/x?ssl=true",
    )
    assert ended.returncode == 1
    assert "does not know the parameter ssl" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_several_hosts_and_parameters_of_libpq_are_understood(
    postgres_store: PostgresStore, tmp_path: Path
) -> None:
    parts = urlsplit(postgres_store.url)
    user = parts.netloc.rpartition("@")[0]
    for hosts in (
        f"127.0.0.1,{parts.hostname}:{parts.port}",
        f"/?host=127.0.0.1,{parts.hostname}&port=1,{parts.port}",
    ):
        place, _, query = hosts.partition("/?")
        url = f"postgresql://{user}@{place if not query else ''}{parts.path}"
        url += f"?{query}&sslmode=prefer&channel_binding=prefer&target_session_attrs=read-write"
        ended = run_command(tmp_path / "data", "migrate", database_url=url)
        assert ended.returncode == 0, ended
