"""/audit: who changed what, without a secret."""

import json
from datetime import timedelta
from typing import Any

from tests.api.running import Running


async def list_deeds(api: Running, **params: Any) -> list[tuple[str, str, str]]:
    items = (await api.read("/audit", params=params))["items"]
    return [(item["actor"], item["action"], item["subject"]) for item in items]


async def test_every_change_of_numbers_and_keys_is_kept_with_whose_it_was(api: Running) -> None:
    key = await api.make_key("admin", name="boss")
    secrets = [key["key"]]
    made = await api.send("POST", "/numbers", {"number": "447700900100"}, key=key["key"])
    secrets.append(made["auth"][0]["value"])
    await api.send("PATCH", "/numbers/447700900100", {"label": "Desk"}, key=key["key"])
    made = await api.send("POST", "/numbers/447700900100/rotate-auth", key=key["key"])
    secrets.append(made["auth"][0]["value"])
    await api.send("DELETE", "/numbers/447700900100", key=key["key"])
    made = await api.make_key("messages:read", name="reader")
    await api.send("PATCH", f"/keys/{made['id']}", {"name": "readers"})
    await api.send("DELETE", f"/keys/{made['id']}")
    ours, boss = "key:LETTERBOX_API_KEY", "key:boss"
    assert await list_deeds(api) == [
        (ours, "key.revoke", made["id"]),
        (ours, "key.change", made["id"]),
        (ours, "key.create", made["id"]),
        (boss, "number.remove", "447700900100"),
        (boss, "number.rotate-auth", "447700900100"),
        (boss, "number.change", "447700900100"),
        (boss, "number.add", "447700900100"),
        (ours, "key.create", key["id"]),
    ]
    items = (await api.read("/audit"))["items"]
    assert items[5]["detail"] == {"label": "Desk"}
    assert items[0]["detail"] == {"name": "readers"}
    assert not any(secret in json.dumps(items) for secret in secrets)


async def test_a_change_that_fails_is_not_kept(api: Running) -> None:
    for path, body in (("/numbers/447700900100", {"label": "x"}), ("/keys/key_9", {"name": "x"})):
        assert (await api.call("PATCH", path, json=body)).status_code == 404
    assert await list_deeds(api) == []


async def test_the_audit_is_found_by_who_what_and_when(api: Running) -> None:
    key = await api.make_key("admin", name="boss")
    api.clock.now += timedelta(hours=1)
    for number in ("447700900100", "447700900101"):
        await api.send("POST", "/numbers", {"number": number}, key=key["key"])
    assert len(await list_deeds(api, actor="key:boss")) == 2
    assert await list_deeds(api, action="key.create") == [
        ("key:LETTERBOX_API_KEY", "key.create", key["id"])
    ]
    assert len(await list_deeds(api, since="2026-06-01T13:00:00Z")) == 2
    assert len(await list_deeds(api, until="2026-06-01T13:00:00Z")) == 1
    page = await api.read("/audit", params={"limit": 2})
    rest = await api.read("/audit", params={"limit": 2, "cursor": page["next"]})
    assert [item["action"] for item in rest["items"]] == ["key.create"]


async def test_only_an_administrator_sees_it(lone_api: Running) -> None:
    key = await lone_api.make_key("messages:read", "messages:send", "rules:write")
    assert (await lone_api.get("/audit", key=key["key"])).status_code == 403
