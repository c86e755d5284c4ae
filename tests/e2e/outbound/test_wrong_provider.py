"""A service whose provider is elsewhere, out of reach or broken: real processes, real sockets."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from tests.support.service import Service, find_free_port, running, wait_until

OURS = "447700900001"
TEXTS = 30
PAGE = b"<!DOCTYPE html><title>Sign in to the network</title>"


class Wire:
    """Answers as `status` and `body` say, or as the API does where `status` is 0."""

    def __init__(self) -> None:
        self.status = 0
        self.body = b""
        self.headers: dict[str, str] = {}
        self.sends = 0

    def answer(self, form: dict[str, list[str]]) -> tuple[int, bytes]:
        action = form["Action"][0]
        self.sends += action == "Send"
        if self.status:
            return self.status, self.body
        if action == "Send":
            numbers = form["DestinationAddress"][0].split(",")
            return 200, ",".join(
                f"{self.sends}{place:04}" for place in range(len(numbers))
            ).encode()
        return 200, {"CheckCredits": b"1000", "Report": b""}.get(action, b"Sent")


@contextmanager
def serving() -> Iterator[tuple[Wire, str]]:
    wire = Wire()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            form = parse_qs(self.rfile.read(length).decode())
            status, body = wire.answer(form)
            self.send_response(status)
            for name, value in wire.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield wire, f"http://127.0.0.1:{server.server_port}/api"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def queue(service: Service) -> None:
    to = [f"4477009001{turn:02}" for turn in range(TEXTS)]
    order = {"to": to, "source": OURS, "body": "Hello"}
    assert service.call("/outbound", method="POST", body=order).status == 202


def count(service: Service) -> dict[str, int]:
    found: dict[str, int] = {}
    for text in service.get("/outbound?limit=100")["items"]:
        found[text["status"]] = found.get(text["status"], 0) + 1
    return found


def find_alert(service: Service, kind: str) -> dict[str, Any] | None:
    alerts = service.get("/alerts")["items"]
    return next((a for a in alerts if a["kind"] == kind and a["closed_at"] is None), None)


ELSEWHERE = {
    "moved": (301, b"", 0),
    "not found": (404, PAGE, 0),
    "not allowed": (405, b"", 0),
    "forbidden": (403, PAGE, 0),
    "sign-in": (401, PAGE, 0),
    "web page": (200, PAGE, 1),
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_wrong_url_keeps_the_texts_until_it_is_right(tmp_path: Path, name: str) -> None:
    status, body, uncertain = ELSEWHERE[name]
    with serving() as (wire, url):
        wire.status, wire.body = status, body
        wire.headers = {"Location": "https://elsewhere.example/"} if status == 301 else {}
        settings: dict[str, Any] = {
            "provider_url": url,
            "provider_token": "a-token",
            "reconcile_seconds": 0,
        }
        with running(tmp_path / "data", **settings) as service:
            queue(service)
            wait_until(lambda: find_alert(service, "sender-stopped") is not None, what=service.log)
            alert = find_alert(service, "sender-stopped")
            assert alert is not None
            assert "LETTERBOX_PROVIDER_URL" in alert["action"]
            sender = service.ask("/readyz").json["sender"]
            assert sender["status"] == "degraded"
            assert "stopped" in sender["detail"]
            assert service.ask("/readyz").status == 200
            found = count(service)
            assert found.get("uncertain", 0) <= uncertain
            assert found.get("queued", 0) + found.get("held", 0) >= TEXTS - uncertain
            wire.status = 0
            wait_until(
                lambda: count(service).get("sent", 0) >= TEXTS - uncertain,
                seconds=90,
                what=service.log,
            )
            wait_until(lambda: find_alert(service, "sender-stopped") is None, what=service.log)


def test_a_provider_out_of_reach_costs_no_text(tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "provider_url": f"http://127.0.0.1:{find_free_port()}/api",
        "provider_token": "a-token",
        "reconcile_seconds": 0,
    }
    with running(tmp_path / "data", **settings) as service:
        queue(service)
        wait_until(lambda: service.get("/sender")["state"] == "stopped", what=service.log)
        assert "cannot be reached" in service.get("/sender")["reason"]
        found = count(service)
        assert found.get("queued", 0) == TEXTS
        assert find_alert(service, "sender-stopped") is None  # not for a moment's failure
