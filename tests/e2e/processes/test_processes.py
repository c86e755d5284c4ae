"""Several processes over one database, and commands beside a service."""

import asyncio
import json
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import pytest
from typer.testing import CliRunner

from app.cli.commands import app
from tests.e2e.load import sending
from tests.e2e.stores import PostgresStore, SqliteStore, check_kept_once
from tests.support.service import (
    AUTH,
    START_SECONDS,
    Service,
    make_environment,
    make_forward,
    run_command,
    running,
    wait_until,
)


async def redeliver(urls: list[str], times: int) -> list[int]:
    limits = httpx2.Limits(max_connections=times)
    async with httpx2.AsyncClient(timeout=START_SECONDS, limits=limits) as client:
        query = make_forward("17")
        answers = await asyncio.gather(
            *(client.get(f"{urls[n % len(urls)]}/inbound?{query}") for n in range(times))
        )
        return [answer.status_code for answer in answers]


def test_a_hundred_redeliveries_at_once_are_one_message(
    postgres_store: PostgresStore, tmp_path: Path
) -> None:
    with (
        running(tmp_path / "one", database_url=postgres_store.url, processes=2) as one,
        running(tmp_path / "two", database_url=postgres_store.url) as two,
    ):
        statuses = asyncio.run(redeliver([one.url, two.url], 100))
        assert statuses == [200] * 100
        assert postgres_store.list_ids() == ["17"]
        assert one.stop() == 0
        assert one.list_processes() == []


# Each insert's commit comes some milliseconds after its rows have their ids.
LINGER = """
CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_sleep(random() * 0.05); RETURN NULL; END $$;
CREATE TRIGGER linger AFTER INSERT ON messages EXECUTE FUNCTION linger();
"""


def follow(service: Service, until: threading.Event, seen: list[str]) -> None:
    cursor = ""
    while True:
        ending = until.is_set()
        page = service.get(f"/messages?order=asc&limit=20{cursor}")
        seen += [item["provider_id"] for item in page["items"]]
        cursor = f"&cursor={page['next']}"
        if ending and not page["items"]:
            return


def test_a_follower_of_the_feed_misses_nothing_that_several_processes_store(
    postgres_store: PostgresStore, tmp_path: Path
) -> None:
    # Checked by taking the advisory lock out of the insert: then a quarter of the rows is missed.
    seen: list[str] = []
    done = threading.Event()
    with (
        running(tmp_path / "one", database_url=postgres_store.url) as one,
        running(tmp_path / "two", database_url=postgres_store.url) as two,
        running(tmp_path / "three", database_url=postgres_store.url) as three,
    ):
        postgres_store.server.execute(LINGER, database=postgres_store.name)
        follower = threading.Thread(target=follow, args=(three, done, seen))
        follower.start()
        with sending(one.port, two.port, three.port, senders=24) as load:
            load.wait_for(500)
        done.set()
        follower.join(30)
        assert not follower.is_alive()
        assert len(seen) == len(set(seen))
        assert {each.message_id for each in load.acknowledged} == set(seen)


def test_workers_and_web_apart_do_everything_together(
    postgres_store: PostgresStore, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"database_url": postgres_store.url}
    with (
        running(tmp_path / "web", run_workers="false", **settings) as web,
        running(tmp_path / "work", "work", wait=False, **settings) as worker,
        running(tmp_path / "work2", "work", wait=False, **settings),
    ):
        with sending(web.port) as load:
            load.wait_for(300)
        wait_until(
            lambda: not postgres_store.fetch("SELECT 1 FROM messages WHERE handled_at IS NULL")
        )
        check_kept_once(postgres_store, load.forwards)
        unread = postgres_store.fetch("SELECT sum(unread) FROM conversations")
        assert unread == [(load.count(),)]
        wait_until(lambda: "working" in worker.read_log(), seconds=START_SECONDS)
        assert worker.stop() == 0
        assert "Traceback" not in worker.read_log()


def test_processes_with_secrets_of_their_own_refuse_to_differ(
    postgres_store: PostgresStore, tmp_path: Path
) -> None:
    own: dict[str, Any] = {"inbound_auth": None, "database_url": postgres_store.url}
    with running(tmp_path / "one", **own):
        other = run_command(tmp_path / "two", "serve", port=0, **own)
    assert other.returncode == 1
    assert "LETTERBOX_INBOUND_AUTH" in other.stderr.splitlines()[-1]
    assert "Traceback" not in other.stderr


def test_sqlite_is_served_by_one(tmp_path: Path) -> None:
    with running(tmp_path / "data"):
        for command in ("serve", "work", "migrate"):
            second = run_command(tmp_path / "data", command, port=0)
            assert second.returncode == 1
            assert second.stderr.startswith("letterbox: another letterbox is running on ")
            assert len(second.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"api_key": "short"}, "LETTERBOX_API_KEY"),
        ({"host": "192.0.2.1"}, "LETTERBOX_HOST"),
    ],
)
def test_a_bad_setting_stops_the_start_with_one_line(
    tmp_path: Path, settings: dict[str, Any], name: str
) -> None:
    ended = run_command(tmp_path / "data", "serve", **settings)
    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    assert line.startswith("letterbox: ")
    assert name in line
    assert "short" not in line


def test_an_unknown_setting_is_a_warning_with_the_nearest_name(tmp_path: Path) -> None:
    # By the quickest of the commands that begin so.
    ended = run_command(tmp_path / "data", "migrate", prot="8000")
    assert ended.returncode == 0
    assert "LETTERBOX_PORT" in ended.stderr


def test_commands_work_beside_a_service_on_sqlite(
    sqlite_store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data"
    monkeypatch.chdir(tmp_path)
    for name, value in make_environment(data_dir=folder).items():
        monkeypatch.setenv(name, value)
    with running(folder) as service:
        with sending(service.port, pause_seconds=0.02) as load:
            load.wait_for(50)
            made = run_command(folder, "numbers", "add", "+44 7700 900456", "--json")
            auth = json.loads(made.stdout)["auth"][0]["value"]
            assert service.forward("own", auth=auth).status == 200
            # In this process, which is as foreign to the service: each start takes a second.
            for command in (
                ["numbers", "list"],
                ["numbers", "rotate-auth", "447700900456", "--overlap-seconds", "0"],
                ["keys", "create", "shop", "--scope", "messages:read"],
                ["keys", "list"],
                ["export", "messages", "--format", "jsonl"],
                ["doctor"],
            ):
                done = CliRunner().invoke(app, command)
                assert done.exit_code == 0, (done.stderr, done.exception)
                assert "database is locked" not in done.stderr
            # What a rotation without overlap ended soon opens nothing.
            wait_until(lambda: service.forward("late", auth=auth).status == 403)
            with closing(sqlite3.connect(sqlite_store.path, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                load.wait_for(100)
                other.execute("ROLLBACK")
            load.wait_for(50)
        assert load.count() == len(load.forwards)
        wait_until(lambda: service.ask("/readyz").json["spool"]["status"] == "ok")
        stored = set(sqlite_store.list_ids())
        assert {each.message_id for each in load.acknowledged} <= stored
        assert "database is locked" not in service.read_log()


def test_no_secret_lies_anywhere(sqlite_store: SqliteStore, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with running(folder, inbound_auth=None, api_key=None, log_level="debug") as service:
        auth = (folder / "inbound_auth").read_text().strip()
        key = (folder / "api_key").read_text().strip()
        made = service.call("/numbers", method="POST", body={"number": "447700900456"}, key=key)
        own = made.json["auth"][0]["value"]
        narrow = service.call(
            "/keys", method="POST", body={"name": "x", "scopes": ["messages:read"]}, key=key
        ).json["key"]
        assert service.forward("1", auth=auth).status == 200
        assert service.forward("2", auth=own).status == 200
        body = json.dumps({"AUTH": auth, "msg": "x"}).encode()
        assert service.ask("/inbound", method="POST", body=body).status == 200
        assert service.forward("3", auth="a-wrong-value").status == 403
        assert service.call("/messages?auth=x", key=narrow).status == 422
        wait_until(lambda: bool(service.call("/refusals", key=key).json["items"]))
        shown = service.ask("/metrics").body + service.call("/refusals", key=key).body
        assert service.stop() == 0
    kept = b"".join(
        file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file() and file.name not in {"inbound_auth", "api_key"}
    )
    everything = kept + shown + service.log.read_bytes()
    for secret in (auth, key, own, narrow, "a-wrong-value"):
        assert secret.encode() not in everything
    assert AUTH.encode() not in everything
