"""Health, figures and the description of the interface."""

import contextlib
import functools
import ipaddress
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable

from app import __version__
from tests.support.kit import Kit, open_kit
from tests.support.shared_parts import build_with_shared_parts
from tests.support.simulated import simulated_in_process


async def test_health_needs_no_key_and_names_every_part(kit: Kit) -> None:
    answer = await kit.client.get("/livez", headers={"Authorization": ""})
    assert answer.json() == {"status": "ok"}
    answer = await kit.client.get("/readyz", headers={"Authorization": ""})
    assert answer.status_code == 200
    assert {"database", "disk", "spool", "workers", "sender"} <= answer.json().keys()
    assert answer.json()["version"] == __version__


async def test_figures_count_what_came(kit: Kit) -> None:
    await kit.forward("1")
    await kit.forward("1")
    await kit.forward(auth="wrong")
    text = (await kit.client.get("/metrics")).text
    assert 'letterbox_messages_acknowledged_total{kept_in="database"} 2.0' in text
    assert "letterbox_messages_stored_total 1.0" in text
    assert 'letterbox_forwards_refused_total{reason="wrong-auth"} 1.0' in text


async def test_the_interface_is_described_completely(kit: Kit) -> None:
    document = (await kit.client.get("/openapi.json")).json()
    assert document["info"]["version"] == __version__
    paths = document["paths"]
    assert {"get", "post"} <= paths["/inbound"].keys()
    for path in ("messages", "conversations", "numbers", "keys", "refusals", "alerts", "stats"):
        assert "get" in paths[f"/api/v1/{path}"]
    assert "/api/v1/events" in paths
    text = json.dumps(document)
    names = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert names <= document["components"]["schemas"].keys()
    page = await kit.client.get("/docs")
    assert page.status_code == 200
    assert "/api/v1/messages" in page.text


@pytest.fixture
async def whole_kit(database_url: str, tmp_path: Path) -> AsyncIterator[Kit]:
    """The application with a simulated provider behind it."""
    async with (
        simulated_in_process() as provider,
        open_kit(database_url, tmp_path / "data", provider.client) as opened,
    ):
        # What is drawn from the constants in our code must not make the provider fail.
        world = provider.app.simulator.world
        world.switches = world.switches.changed({"magic_numbers": False})
        yield opened


# In one group, so that what is drawn for the one database serves the other.
@pytest.mark.soak
@pytest.mark.xdist_group("described")
@pytest.mark.slow
async def test_answers_are_as_described(whole_kit: Kit) -> None:
    kit = whole_kit
    await kit.forward("1")
    await kit.handle()
    checked = 0
    for case, described in draw_calls((await kit.client.get("/openapi.json")).text):
        checked += 1
        answer = await kit.client.request(
            case.method,
            case.formatted_path,
            params=case.query or None,
            json=case.body if isinstance(case.body, dict | list) else None,
        )
        told = (case.method, case.formatted_path, case.query, case.body, answer.text)
        assert answer.status_code < 500, told
        assert str(answer.status_code) in described, told
    assert checked > 100


@functools.cache  # to draw them takes ten times as long as to ask them
def draw_calls(document: str) -> list[tuple[Any, Any]]:
    """Some calls of every operation, each with the answers that are described."""
    import schemathesis  # noqa: PLC0415 it takes a second, on each worker

    calls = []
    for result in schemathesis.openapi.from_dict(json.loads(document)).get_all_operations():
        operation = result.ok()  # type: ignore[union-attr]  # an Err would raise here
        if operation.path not in {"/api/v1/events", "/inbound"}:
            responses = operation.definition.raw["responses"]
            calls += [(case, responses) for case in draw_cases(operation)]
    return calls


def draw_cases(operation: Any) -> list[Any]:
    """Some calls, as the description allows them and as it does not."""
    from schemathesis import GenerationMode  # noqa: PLC0415 see above

    cases: list[Any] = []
    for mode in GenerationMode:

        @settings(
            max_examples=50 if os.environ.get("LETTERBOX_SOAK") == "1" else 1,
            database=None,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        @given(operation.as_strategy(generation_mode=mode))
        def draw(case: Any) -> None:
            cases.append(case)

        with contextlib.suppress(Unsatisfiable):
            draw()
    return cases


def call_from(kit: Kit, address: str) -> httpx2.AsyncClient:
    app = build_with_shared_parts(kit.runtime)
    transport = httpx2.ASGITransport(app, client=(address, 5000))
    return httpx2.AsyncClient(transport=transport, base_url="http://letterbox.test")


@pytest.mark.parametrize(
    ("address", "headers", "is_told"),
    [
        ("127.0.0.1", {}, True),
        ("::1", {}, True),
        ("10.1.2.3", {}, True),
        ("::ffff:192.168.1.9", {}, True),
        ("fd00::1", {}, True),
        ("192.0.2.7", {}, False),
        ("172.32.0.1", {}, False),
        ("2001:db8::7", {}, False),
        # A proxy on this machine that nobody trusts: whoever comes through it may be a stranger.
        ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, False),
        ("127.0.0.1", {"Forwarded": "for=10.0.0.1"}, False),
        ("192.0.2.7", {"X-Forwarded-For": "127.0.0.1"}, False),
    ],
)
@pytest.mark.alike
async def test_only_monitors_are_told_the_details(
    kit: Kit, address: str, headers: dict[str, str], is_told: bool
) -> None:
    async with call_from(kit, address) as client:
        ready = await client.get("/readyz", headers=headers)
        assert ready.status_code == 200
        assert (set(ready.json()) > {"ready", "sender"}) == is_told
        assert is_told or ready.json() == {"ready": True}
        metrics = await client.get("/metrics", headers=headers)
        assert metrics.status_code == (200 if is_told else 403)
        assert is_told or metrics.json()["type"] == "/problems/not-a-monitor"
        assert (await client.get("/livez", headers=headers)).status_code == 200


@pytest.mark.parametrize(
    ("address", "headers", "is_told"),
    [
        ("192.0.2.9", {}, False),
        ("192.0.2.9", {"X-Forwarded-For": "127.0.0.1"}, True),
        ("192.0.2.9", {"X-Forwarded-For": "10.1.2.3, 192.0.2.7"}, False),
        ("10.9.9.9", {}, True),
        ("10.9.9.9", {"X-Forwarded-For": "10.9.9.9"}, True),
        ("10.9.9.9", {"X-Forwarded-For": "192.0.2.7, 10.9.9.9"}, False),
        ("10.9.9.9", {"X-Forwarded-For": "unknown"}, False),
        ("10.9.9.9", {"X-Forwarded-For": "127.0.0.1, nonsense"}, False),
        ("10.9.9.9", {"X-Forwarded-For": "unknown, 10.9.9.9"}, False),
        ("10.9.9.9", {"Forwarded": "for=_hidden"}, False),
        ("10.9.9.9", {"Forwarded": "proto=https"}, False),
    ],
)
async def test_a_trusted_proxy_says_who_is_a_monitor_and_nobody_whom_it_hides_is_one(
    tmp_path: Path, sqlite_url: str, address: str, headers: dict[str, str], is_told: bool
) -> None:
    proxies = tuple(ipaddress.ip_network(each) for each in ("10.9.9.9", "192.0.2.9"))
    async with open_kit(sqlite_url, tmp_path / "data") as kit:
        trusting = kit.runtime.settings.model_copy(update={"trusted_proxies": proxies})
        kit.runtime.settings = trusting
        async with call_from(kit, address) as client:
            assert ("sender" in (await client.get("/readyz", headers=headers)).json()) == is_told
            metrics = await client.get("/metrics", headers=headers)
            assert metrics.status_code == (200 if is_told else 403)


async def test_no_monitor_is_told_what_a_person_wrote(kit: Kit) -> None:
    body = {"state": "paused", "reason": "Ada is ill"}
    assert (await kit.client.post("/api/v1/sender", json=body)).status_code == 200
    ready = await kit.client.get("/readyz")
    assert ready.json()["sender"] == {"status": "degraded", "detail": "sending is paused"}
