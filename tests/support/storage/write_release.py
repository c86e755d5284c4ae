"""Writes `tests/storage/db/releases/VERSION.json`, once when a release is made (CONTRIBUTING.md).

A service on PostgreSQL is used in every way over a simulated provider; what it then has rows of,
and what needs a person at the pages, is written.
"""

import asyncio
import json
import socket
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from app import __version__
from app.cli.process.demo import playing
from app.simulator.application import build_simulator
from app.simulator.state.clock import start_clock
from app.simulator.state.config import demo_config
from app.storage import tables as tables  # registers all of them
from app.storage.db.columns import metadata
from app.storage.db.database import Connection, open_database
from app.storage.db.migrate import list_revisions
from tests.support.service import (
    API_KEY,
    AUTH,
    Service,
    find_free_port,
    run_command,
    running,
    wait_until,
)
from tests.support.storage.postgres import running_postgres
from tests.support.storage.releases import FOLDER, digest_migrations, dump_rows, list_empty

OURS = "447700900001"
ODD = "Café 🙂 'quoted' \\ %s\n\u2028 \ufeffend"
RULE = {"name": "Hours", "keyword": "hours", "timezone": "UTC", "reply": "9 to 5 {name|there}"}
ROWS = [{"number": "07700 900011", "name": "Ada"}, {"number": "07700 900012", "name": ""}]
POSTS: tuple[tuple[str, Any], ...] = (
    ("/numbers", {"number": "447700900456", "label": ODD, "merge_field_names": {"1": "order"}}),
    ("/keys", {"name": "A program", "scopes": ["messages:read"]}),
    ("/rules", RULE),
    ("/saved-replies", {"name": "Thanks", "body": "Thank you, {name|there}"}),
    ("/opt-outs", {"number": "447700900990"}),
    ("/members", {"name": "Grace", "role": "office"}),
    ("/webhooks", {"url": "https://example.com/hook", "types": ["message.received"]}),
    ("/outbound", {"to": "447700900010", "source": OURS, "body": ODD, "reference": "order 7"}),
    ("/batches", {"source": OURS, "body": "Hello {name|there}", "rows": ROWS}),
)
# Where a value of the column's type alone would mean nothing.
MADE_UP: dict[str, dict[str, Any]] = {
    "contact_imports": {
        "contacts": [[1, "Ada", "447700900010", "", ["customers"]]],
        "results": [[1, "Success", ""]],
    },
    "drafts": {"owner": "member:mem_1", "fields": {"body": ODD}},
    "erasures": {"removed": {}},
    "login_links": {"kind": "invitation", "member_id": 1},
    "notify_addresses": {"kind": "mailto", "source": "page", "numbers": [], "zone": "UTC"},
    "process_figures": {"figures": {}},
    "processes": {"kind": "web", "host": "one.example"},
    "refills": {"name": "folding", "position": 0},
}


def use(service: Service) -> None:
    """Whatever a program can do, and texts that come in, wrong ones too."""
    for path, body in POSTS:
        headers = {"Authorization": f"Bearer {API_KEY}", "Idempotency-Key": f"the key of {path}"}
        headers["Content-Type"] = "application/json"
        content = json.dumps(body).encode()
        answer = service.ask(f"/api/v1{path}", method="POST", body=content, headers=headers)
        assert answer.status in {201, 202}, (path, answer)
    for number, text in enumerate(("Hours please", ODD, "STOP", "Forget me")):
        source = f"4477009000{20 + number}"
        assert service.forward(str(number), msg=text, name="Ada", source=source).status == 200
    assert service.forward("one", auth="wrong").status == 403
    wait_until(lambda: len(service.get("/conversations")["items"]) >= 3)
    [first, *_] = service.get("/conversations")["items"]
    path = f"/conversations/{first['id']}"
    assert service.call(f"{path}/notes", method="POST", body={"body": ODD}).status == 201
    named = service.call("/people/447700900020", method="PUT", body={"name": "Ada", "notes": ODD})
    assert named.status in {200, 201}, named
    hook = service.get("/webhooks")["items"][0]["id"]
    assert service.call(f"/webhooks/{hook}/test", method="POST").status == 202
    wait_until(lambda: {"sent", "delivered"} >= _list_statuses(service), what="texts that are sent")
    erased = service.call("/erasures", method="POST", body={"number": "447700900023"})
    assert erased.status in {200, 201, 202}, erased
    wait_until(lambda: service.get("/erasures")["items"][0]["state"] == "done")


def _list_statuses(service: Service) -> set[str]:
    return {each["status"] for each in service.get("/outbound")["items"]}


def fill_rest(conn: Connection) -> None:
    """One row in every table that has none: what happens on pages, in workers and by chance."""
    for name in list_empty(conn):
        table = metadata.tables[name]
        row = {column.name: _make_up(name, column) for column in table.c if not column.nullable}
        conn.execute(table.insert().values(row | MADE_UP.get(name, {})))


def _make_up(table: str, column: Any) -> Any:
    """A value of the column's type; ids refer to the first row."""
    made: dict[str, Any] = {
        "UtcTime": datetime.now(UTC) - timedelta(days=1),
        "Boolean": True,
        "LargeBinary": f"{table}.{column.name}".encode(),
        "Text": column.name,
    }
    return made.get(type(column.type).__name__, 1)


async def _write(url: str, version: str) -> None:
    database = open_database(url, Path())
    try:
        await database.write(fill_rest)
        assert await database.read(list_empty) == []
        rows = await database.read(dump_rows)
    finally:
        await database.close()
    release = {
        "revision": list_revisions()[-1],
        "migrations": digest_migrations(),
        "rows": rows,
    }
    FOLDER.mkdir(exist_ok=True)
    text = json.dumps(release, indent=1).replace(socket.gethostname(), "one.example")
    (FOLDER / f"{version}.json").write_text(f"{text}\n")


def main() -> None:
    port = find_free_port()
    simulator = build_simulator(
        demo_config(f"http://127.0.0.1:{port}/inbound", AUTH), start_clock()
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        running_postgres() as server,
        playing(simulator) as provider,
    ):
        url = server.create_database("release")
        assert run_command(Path(folder) / "data", "migrate", database_url=url).returncode == 0
        account: dict[str, Any] = {
            "provider_url": f"{provider}/api",
            "provider_token": "demo-token",
        }
        with running(Path(folder) / "data", port=port, database_url=url, **account) as service:
            use(service)
        asyncio.run(_write(url, __version__))


if __name__ == "__main__":
    main()
