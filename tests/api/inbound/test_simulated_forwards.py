"""The simulated provider forwards into the application: however it does, the text is the same."""

from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.simulator.application import SimulatorApp
from app.simulator.state.config import NumberConfig
from tests.api.running import AUTH, BASE_URL, Running, list_ids, running
from tests.support.fixtures import on_sqlite
from tests.support.simulated import ADA, GRACE, OUR_NUMBER, build_provider, make_config

BODY = "Zoë & Co: 100% “yes”, €5 + tax?"

api = on_sqlite(running)


def make_provider(api: Running, *, method: str = "POST", **switches: Any) -> SimulatorApp:
    number = NumberConfig.model_validate(
        {
            "number": OUR_NUMBER,
            "username": "demo",
            "url": f"{BASE_URL}/inbound",
            "auth": AUTH,
            "list": "people",
            "method": method,
        }
    )
    app, _ = build_provider(make_config(numbers=(number,)), httpx2.ASGITransport(api.app))
    app.simulator.world.switches = app.simulator.world.switches.changed(switches)
    return app


async def read_all(api: Running) -> list[dict[str, Any]]:
    await api.handle()
    items: list[dict[str, Any]] = (await api.read("/messages", params={"order": "asc"}))["items"]
    return items


@pytest.mark.parametrize(
    "switches",
    [
        {},
        {"method": "GET"},
        {"forward_content": "multipart"},
        {"forward_content": "json"},
        {"forward_content": "query"},
        {"forward_names": "upper"},
        {"forward_names": "title"},
        {"forward_plus": True},
        {"forward_charset": "windows-1252"},
        {"forward_unlisted_fields": False},
        {"forward_copies": 3},
        {"forward_copies": 3, "forward_copies_at_once": True},
        {"forward_twice_share": 1.0},
        {"forward_wants": "200"},
        {"forward_wants": "OK", "forward_retries": 3},
    ],
    ids=str,
)
async def test_a_text_is_one_message_however_it_is_forwarded(
    api: Running, switches: dict[str, Any]
) -> None:
    provider = make_provider(api, **switches)
    [text] = await provider.simulator.receive_text(ADA, OUR_NUMBER, BODY)
    assert all(attempt.accepted for attempt in text.attempts)
    assert len(text.attempts) == switches.get("forward_copies", 1) + (
        "forward_twice_share" in switches
    )
    [message] = await read_all(api)
    assert (message["source"], message["dest"], message["body"]) == (ADA, OUR_NUMBER, BODY)
    assert message["provider_id"] == str(text.id)
    assert message["received_at"] == "2026-06-01T12:00:00.000000Z"
    assert message["merge_fields"]["name"] == "Ada"
    odd = ["charset"] if "forward_charset" in switches else []
    assert message["problems"] == odd
    await provider.simulator.close()


async def test_texts_that_overtake_each_other_both_arrive(api: Running) -> None:
    provider = make_provider(api, forward_reorder_share=1.0)
    await provider.simulator.receive_text(ADA, OUR_NUMBER, "first", wait_seconds=0)
    provider.simulator.world.switches = provider.simulator.world.switches.changed(
        {"forward_reorder_share": 0.0}
    )
    await provider.simulator.receive_text(GRACE, OUR_NUMBER, "second")
    await provider.simulator.forwarder.settle()
    assert {message["body"] for message in await read_all(api)} == {"first", "second"}
    await provider.simulator.close()


async def test_a_long_text_may_come_in_parts(api: Running) -> None:
    provider = make_provider(api, forward_long_texts="parts")
    await provider.simulator.receive_text(ADA, OUR_NUMBER, "x" * 200)
    messages = await read_all(api)
    assert [len(message["body"]) for message in messages] == [153, 47]
    assert len(set(list_ids({"items": messages}))) == 2
    await provider.simulator.close()


@pytest.mark.parametrize("zone", ["Europe/London", "UTC"])
async def test_the_time_of_a_text_is_read_in_the_zone_that_was_set(
    tmp_path: Path, sqlite_url: str, zone: str
) -> None:
    async with running(sqlite_url, tmp_path, provider_timezone=zone) as api:
        provider = make_provider(api, forward_zone=zone)
        await provider.simulator.receive_text(ADA, OUR_NUMBER, "Hello")
        [message] = await read_all(api)
        assert message["received_at"] == "2026-06-01T12:00:00.000000Z"
        assert message["received_raw"][11:13] == ("12" if zone == "UTC" else "13")
        await provider.simulator.close()


@pytest.mark.parametrize("count", [None, 1])
async def test_texts_whose_ids_come_again_are_all_kept(api: Running, count: int | None) -> None:
    provider = make_provider(api, forward_id_count=count)
    for body in ("first", "second"):
        await provider.simulator.receive_text(ADA, OUR_NUMBER, body)
    messages = await read_all(api)
    assert [message["body"] for message in messages] == ["first", "second"]
    assert [message["problems"] for message in messages] == [[], ["id-reused"] if count else []]
    await provider.simulator.close()


async def test_a_wrong_auth_is_refused_and_the_provider_sees_it(api: Running) -> None:
    provider = make_provider(api)
    numbers = provider.simulator.world.incoming.numbers
    numbers[OUR_NUMBER] = numbers[OUR_NUMBER].model_copy(update={"auth": "another"})
    [text] = await provider.simulator.receive_text(ADA, OUR_NUMBER, "Hello")
    assert [attempt.answer for attempt in text.attempts] == [403]
    assert await read_all(api) == []
    await provider.simulator.close()
