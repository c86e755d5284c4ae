"""Replays over REST."""

from tests.api.running import AUTH, Running
from tests.support.messages import make_message

FORWARD = f"source=447700900001&dest=447700900100&msg=Hello&id=1&auth={AUTH}"


async def test_a_message_is_asked_again_by_the_rules(api: Running) -> None:
    await api.client.get(f"/inbound?{FORWARD}")
    assert (await api.call("POST", "/messages/msg_1/replay")).status_code == 409
    await api.handle()
    assert (await api.send("POST", "/messages/msg_1/replay"))["outcome"]["code"] == "no-rule"
    await api.send("POST", "/rules", {"name": "All", "reply": "Hi"})
    sender = await api.make_key("messages:send", "messages:read", name="shop")
    replayed = await api.send("POST", "/messages/msg_1/replay", key=sender["key"])
    assert replayed["outcome"] == {"code": "replied", "rule_id": "rul_1"}
    assert await api.send("POST", "/messages/msg_1/replay") == replayed
    entries = (await api.read("/audit", params={"action": "message.replay"}))["items"]
    assert [(each["actor"], each["subject"]) for each in entries[:2]] == [
        ("key:LETTERBOX_API_KEY", "msg_1"),
        ("key:shop", "msg_1"),
    ]


async def test_a_replay_needs_the_scopes_to_send_and_to_read(lone_api: Running) -> None:
    """It shows the text, whatever the key may read otherwise."""
    await lone_api.store(make_message(1))
    for scope in ("messages:read", "messages:send"):
        key = await lone_api.make_key(scope)
        answer = await lone_api.call("POST", "/messages/msg_1/replay", key=key["key"])
        assert answer.status_code == 403
    assert (await lone_api.call("POST", "/messages/msg_9/replay")).status_code == 404
