"""`kill -9` in the middle of deliveries and notifications: each arrives at least once."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from standardwebhooks import Webhook

from tests.e2e.stores import Store
from tests.support.endpoints.slow_endpoint import serving_slowly
from tests.support.service import API_KEY, find_free_port, running, wait_until

TEXTS = 12
OPTIONS: dict[str, Any] = {"webhook_networks": "127.0.0.1"}


def test_a_kill_in_the_middle_of_deliveries_loses_none(store: Store, tmp_path: Path) -> None:
    data, port = tmp_path / "data", find_free_port()
    with serving_slowly(0.3) as endpoint:
        with running(data, port=port, database_url=store.url, **OPTIONS) as service:
            body = {"url": endpoint.url, "types": ["message.received"]}
            made = service.call("/webhooks", method="POST", body=body)
            assert made.status == 201, made.body
            for number in range(TEXTS):
                assert service.forward(f"text {number}").status == 200
            wait_until(lambda: len(endpoint.got) >= 3)
            service.kill()
        # The process that died holds the endpoint for thirty seconds unless its lease is ended.
        store.execute("UPDATE webhooks SET holder = NULL, lease_until = NULL")
        endpoint.seconds = 0.0
        with running(data, port=port, database_url=store.url, **OPTIONS) as service:
            wait_until(lambda: len(set(endpoint.ids)) == TEXTS, what=service.log)
            verifier = Webhook(made.json["secret"])
            bodies = [verifier.verify(text.decode(), headers) for headers, text in endpoint.got]
            assert len({each["data"]["provider_id"] for each in bodies}) == TEXTS


def test_listen_forwards_what_happens_to_a_local_url(tmp_path: Path) -> None:
    with serving_slowly() as endpoint, running(tmp_path / "data") as service:
        arguments = ["listen", "--forward-to", endpoint.url, "--url", service.url, "--key", API_KEY]
        listening = subprocess.Popen(
            [str(Path(sys.executable).with_name("letterbox")), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert listening.stdout is not None
            secret = listening.stdout.readline().strip()
            deadline = time.monotonic() + 30
            number = 0
            # It follows from now on, whenever that is.
            while len(endpoint.got) < 2 and time.monotonic() < deadline:
                number += 1
                service.forward(f"text {number}")
                time.sleep(0.3)
            headers, text = endpoint.got[0]
            assert Webhook(secret).verify(text.decode(), headers)["type"].startswith("message.")
            assert headers["webhook-id"] in listening.stdout.readline()
        finally:
            listening.terminate()
            listening.communicate(timeout=20)


def test_a_kill_in_the_middle_of_a_notification_sends_it_again(
    store: Store, tmp_path: Path
) -> None:
    data, port = tmp_path / "data", find_free_port()
    with serving_slowly(60.0) as endpoint:
        options: dict[str, Any] = {
            "notify": f"json://127.0.0.1:{endpoint.port}/hook",
            "database_url": store.url,
        }
        with running(data, port=port, **options) as service:
            wait_until(lambda: bool(store.fetch("SELECT id FROM notify_addresses")))
            assert service.forward("a text", auth="wrong").status == 403  # which raises an alert
            wait_until(lambda: bool(endpoint.got), what=service.log)
            service.kill()
        endpoint.seconds = 0.0
        # What would be waited for: the dead process's lease, and the pause after a failure.
        store.execute("UPDATE notify_addresses SET next_at = NULL")
        store.execute("DELETE FROM leases")
        with running(data, port=port, **options) as service:
            wait_until(lambda: len(endpoint.got) >= 2, what=service.log)
    [first, second] = [json.loads(body)["message"] for _, body in endpoint.got[:2]]
    assert "auth" in first
    assert "auth" in second
