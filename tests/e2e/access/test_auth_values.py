"""Auth values and keys that are made, rotated and revoked hold in every process within 2 s."""

import json
import time
from pathlib import Path

from tests.e2e.stores import PostgresStore
from tests.support.service import NUMBER, run_command, running, wait_until

# Within which the contract has a change known everywhere.
AGREED_SECONDS = 2.0
# Long enough for a dozen requests on a machine with other work.
OVERLAP_SECONDS = 5


def test_changes_of_auth_values_and_keys_reach_every_process(
    postgres_store: PostgresStore, tmp_path: Path
) -> None:
    url = postgres_store.url
    with running(tmp_path / "data", database_url=url, processes=2) as service:
        wait_until(lambda: len(postgres_store.list_processes()) == 2)

        def ask(count: int, message_id: str, auth: str) -> set[int]:
            # Each on a connection of its own: whichever process the kernel gives it to.
            return {service.forward(message_id, auth=auth).status for _ in range(count)}

        added = run_command(tmp_path / "data", "numbers", "add", NUMBER, "--json", database_url=url)
        old = json.loads(added.stdout)["auth"][0]["value"]
        # A new value opens at once: a process that does not know it looks it up.
        assert ask(6, "1", old) == {200}

        path = f"/numbers/{NUMBER}/rotate-auth"
        rotated = service.call(path, method="POST", body={"overlap_seconds": OVERLAP_SECONDS})
        rotated_at = time.monotonic()
        new = rotated.json["auth"][0]["value"]
        assert ask(6, "2", old) == ask(6, "2", new) == {200}
        wait_until(lambda: time.monotonic() > rotated_at + OVERLAP_SECONDS)
        assert ask(6, "3", old) == {403}
        assert ask(6, "3", new) == {200}

        wanted = {"name": "x", "scopes": ["messages:read"]}
        key = service.call("/keys", method="POST", body=wanted).json
        assert {service.call("/messages", key=key["key"]).status for _ in range(6)} == {200}
        assert service.call(f"/keys/{key['id']}", method="DELETE").status == 204
        assert {service.call("/messages", key=key["key"]).status for _ in range(6)} == {401}

        assert service.call(f"/numbers/{NUMBER}", method="DELETE").status == 204
        time.sleep(AGREED_SECONDS)
        assert ask(6, "4", new) == {403}
        # The value for every number is not concerned.
        assert service.forward("5").status == 200
        assert "Traceback" not in service.read_log()
        assert postgres_store.list_ids() == ["1", "2", "3", "5"]
