"""/webhooks: creating, changing and removing endpoints, their secrets, and deliveries."""

from typing import Any

import pytest

from app.api.webhooks.subjects import render_subject
from app.flows.webhooks.deliver_webhooks import Courier
from app.network.caller import EndpointCaller
from tests.api.running import Running, running
from tests.api.streams import streaming
from tests.support.endpoints.receiver import Reply, receiving
from tests.support.messages import make_message

URL = "https://example.com/texts"


async def add(api: Running, **fields: Any) -> dict[str, Any]:
    made: dict[str, Any] = await api.send("POST", "/webhooks", {"url": URL, **fields})
    return made


async def test_a_webhook_shows_its_secret_once(api: Running) -> None:
    made = await add(api, types=["message.received"], numbers=["07700 900100"], ordered=True)
    secret = made.pop("secret")
    assert secret.startswith("whsec_")
    assert made["id"] == "whk_1"
    assert (made["state"], made["last_delivery"]) == ("active", None)
    assert (made["types"], made["numbers"]) == (["message.received"], ["447700900100"])
    assert await api.read("/webhooks/whk_1") == made
    assert (await api.read("/webhooks"))["items"] == [made]
    trail = (await api.read("/audit"))["items"]
    assert [(each["action"], each["subject"]) for each in trail] == [("webhook.add", "whk_1")]
    assert secret not in str(trail)


async def test_a_webhook_hears_of_everything_unless_told_otherwise(lone_api: Running) -> None:
    assert len((await add(lone_api))["types"]) == 6


async def test_what_is_left_out_of_a_change_stays(lone_api: Running) -> None:
    await add(lone_api, ordered=True)
    changed = await lone_api.send("PATCH", "/webhooks/whk_1", {"types": ["alert.opened"]})
    assert (changed["types"], changed["ordered"]) == (["alert.opened"], True)
    disabled = await lone_api.send("PATCH", "/webhooks/whk_1", {"state": "disabled"})
    assert (disabled["state"], disabled["disabled_reason"]) == ("disabled", "somebody disabled it")
    enabled = await lone_api.send("PATCH", "/webhooks/whk_1", {"state": "active"})
    assert (enabled["state"], enabled["disabled_reason"]) == ("active", None)


async def test_a_change_of_what_has_changed_since_is_refused(lone_api: Running) -> None:
    await add(lone_api)
    etag = (await lone_api.get("/webhooks/whk_1")).headers["etag"]
    await lone_api.send("PATCH", "/webhooks/whk_1", {"ordered": True}, headers={"If-Match": etag})
    for method, path in (("PATCH", ""), ("POST", "/rotate-secret"), ("DELETE", "")):
        body = {"ordered": False} if method == "PATCH" else None
        answer = await lone_api.call(
            method, f"/webhooks/whk_1{path}", headers={"If-Match": etag}, json=body
        )
        assert answer.status_code == 412


async def test_a_removed_webhook_is_gone(lone_api: Running) -> None:
    await add(lone_api)
    await lone_api.send("DELETE", "/webhooks/whk_1")
    assert (await lone_api.get("/webhooks/whk_1")).status_code == 404
    assert (await lone_api.get("/webhooks/whk_1/deliveries")).status_code == 404


async def test_a_new_secret_differs_and_is_shown_once(lone_api: Running) -> None:
    made = await add(lone_api)
    rotated = await lone_api.send("POST", "/webhooks/whk_1/rotate-secret")
    assert rotated["secret"] != made["secret"]
    assert "secret" not in await lone_api.read("/webhooks/whk_1")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"url": "http://example.com/"}, "url"),
        ({"url": "https://127.0.0.1/"}, "url"),
        ({"url": "https://user:secret@example.com/"}, "url"),
        ({"types": []}, "types"),
        ({"types": ["message.lost"]}, "types.0"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_what_is_wrong_with_a_webhook_is_named(
    lone_api: Running, fields: dict[str, Any], field: str
) -> None:
    answer = await lone_api.call("POST", "/webhooks", json={"url": URL, **fields})
    assert answer.status_code == 422
    assert [each["field"] for each in answer.json()["errors"]] == [field]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"failed": True, "delivery_id": "dlv_1"},
        {"failed": False},
        {"since": "2020-01-01T00:00:00Z"},
    ],
)
async def test_a_replay_names_one_thing(lone_api: Running, body: dict[str, Any]) -> None:
    await add(lone_api)
    answer = await lone_api.call("POST", "/webhooks/whk_1/replay", json=body)
    assert answer.status_code == 422


async def test_a_disabled_webhook_takes_no_test_and_no_replay(lone_api: Running) -> None:
    await add(lone_api)
    await lone_api.send("PATCH", "/webhooks/whk_1", {"state": "disabled"})
    for path, body in (("test", None), ("replay", {"failed": True})):
        answer = await lone_api.call("POST", f"/webhooks/whk_1/{path}", json=body)
        assert answer.status_code == 409


async def test_deliveries_show_what_was_sent_and_answered(database_url: str, tmp_path: Any) -> None:
    async with (
        running(database_url, tmp_path, webhook_networks="127.0.0.1") as api,
        receiving(lambda _: Reply(202, body=b"thanks")) as endpoint,
    ):
        await add(api, url=endpoint.url, types=["message.received"])
        await api.store(make_message(1))
        queued = await api.send("POST", "/webhooks/whk_1/test")
        assert (queued["type"], queued["state"]) == ("webhook.test", "waiting")
        courier = open_courier(api)
        await courier.turn()
        while courier.calls or any(lane.results for lane in courier.lanes.values()):
            await courier.rest()
            await courier.turn()
        page = await api.read("/webhooks/whk_1/deliveries")
        found = {each["type"]: each for each in page["items"]}
        assert set(found) == {"webhook.test", "message.received"}
        delivered = found["message.received"]
        assert (delivered["state"], delivered["status"]) == ("delivered", 202)
        assert delivered["answer"] == "thanks"
        assert delivered["body"].encode() in [each.body for each in endpoint.got]
        assert (await api.read("/webhooks/whk_1"))["last_delivery"]["state"] == "delivered"
        assert (await api.read("/webhooks/whk_1/deliveries?state=failed"))["items"] == []
        again = await api.send("POST", "/webhooks/whk_1/replay", {"delivery_id": delivered["id"]})
        assert again == {"queued": 1}
        await courier.drain(0)


def open_courier(api: Running) -> Courier:
    runtime = api.runtime
    return Courier(
        runtime.database,
        runtime.wakeups,
        EndpointCaller(runtime.settings.webhook_networks),
        render_subject,
        runtime.secrets.api_key,
        runtime.metrics,
        now=api.clock,
        draw=lambda: 0.5,
    )


async def test_a_stream_shows_what_webhooks_are_sent(lone_api: Running) -> None:
    async with streaming(lone_api, query="format=webhook") as stream:
        assert (await stream.next()).name == "ready"
        await lone_api.store(make_message(1))
        received, handled = await stream.next(), await stream.next()
        assert (received.name, handled.name) == ("message.received", "message.handled")
        assert (received.id, handled.id) == ("", "evt_1")
        assert '"id": "evt_1_received"' in received.data


async def test_the_description_tells_what_webhooks_are_sent(lone_api: Running) -> None:
    schema = (await lone_api.client.get("/openapi.json")).json()
    assert set(schema["webhooks"]) == {
        "message.received",
        "message.handled",
        "outbound.status",
        "opt_out.changed",
        "alert.opened",
        "alert.closed",
    }
    for name, operations in schema["webhooks"].items():
        content = operations["post"]["requestBody"]["content"]["application/json"]["schema"]
        event = schema["components"]["schemas"][content["$ref"].rpartition("/")[2]]
        assert event["properties"]["type"]["const"] == name
        assert set(event["required"]) == {"id", "type", "timestamp", "data"}
