"""ETags: nobody undoes what another has just changed, and nobody reads the same twice."""

import asyncio
from datetime import timedelta
from typing import Any

from tests.api.running import Running
from tests.support.messages import make_message

RULE = {"name": "Hours", "reply": "Until five", "keyword": "hours"}
NUMBER = {"number": "447700900100", "label": "Shop"}
KEY = {"name": "reporting", "scopes": ["messages:read"]}
OPT_OUT = {"number": "447700900123"}


async def tag(api: Running, path: str) -> str:
    answer = await api.get(path)
    assert answer.status_code == 200, answer.text
    return answer.headers["etag"]


async def try_with(api: Running, method: str, path: str, etag: str, body: Any = None) -> int:
    answer = await api.call(method, path, json=body, headers={"If-Match": etag})
    if answer.status_code == 412:
        assert answer.json()["type"] == "/problems/changed"
    return answer.status_code


async def make_things(api: Running) -> list[str]:
    """The paths of one resource of each kind."""
    await api.store(make_message(1, source="447700900123", dest="447700900100"))
    await api.handle()
    [message] = (await api.read("/messages"))["items"]
    [conversation] = (await api.read("/conversations"))["items"]
    rule = await api.send("POST", "/rules", RULE)
    number = await api.send("POST", "/numbers", NUMBER)
    key = await api.send("POST", "/keys", KEY)
    opt_out = await api.send("POST", "/opt-outs", OPT_OUT)
    return [
        f"/messages/{message['id']}",
        f"/conversations/{conversation['id']}",
        f"/rules/{rule['id']}",
        f"/numbers/{number['number']}",
        f"/keys/{key['id']}",
        f"/opt-outs/{opt_out['number']}",
        "/sender",
    ]


async def test_every_single_resource_has_an_etag_and_no_list_has_one(lone_api: Running) -> None:
    for path in await make_things(lone_api):
        etag = await tag(lone_api, path)
        assert etag == await tag(lone_api, path)
        assert etag.startswith('"')
        assert etag.endswith('"')
        for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
            answer = await lone_api.get(path, headers={"If-None-Match": known})
            assert (answer.status_code, answer.content) == (304, b"")
            assert answer.headers["etag"] == etag
        answer = await lone_api.get(path, headers={"If-None-Match": '"other"'})
        assert answer.status_code == 200
    for path in ("/messages", "/rules", "/numbers", "/keys"):
        assert "etag" not in (await lone_api.get(path)).headers


async def test_of_two_changes_of_a_rule_the_second_is_412(api: Running) -> None:
    created = await api.call("POST", "/rules", json=RULE)
    path = f"/rules/{created.json()['id']}"
    etag = await tag(api, path)
    assert created.headers["etag"] == etag
    changed = await api.call("PATCH", path, json={"reply": "A"}, headers={"If-Match": etag})
    assert changed.status_code == 200
    assert changed.headers["etag"] == await tag(api, path) != etag
    assert await try_with(api, "PATCH", path, etag, {"reply": "B"}) == 412
    assert (await api.read(path))["reply"] == "A"
    assert await try_with(api, "DELETE", path, etag) == 412
    assert await try_with(api, "PATCH", path, changed.headers["etag"], {"reply": "C"}) == 200
    assert await try_with(api, "PATCH", path, "*", {"reply": "D"}) == 200
    assert await try_with(api, "PATCH", path, "nonsense", {"reply": "E"}) == 412
    last = await tag(api, path)
    assert await try_with(api, "DELETE", path, f'"other", W/{last}') == 204
    assert await try_with(api, "PATCH", path, last, {"reply": "F"}) == 404


async def test_only_a_star_without_quotes_stands_for_every_version(lone_api: Running) -> None:
    created = await lone_api.call("POST", "/rules", json=RULE)
    path, etag = f"/rules/{created.json()['id']}", created.headers["etag"]
    none = ("", " ", ",", '""', 'W/""', '"*"', 'W/"*"', '"x", "*"', f'"x,{etag[1:]}', "null")
    for tags in none:
        assert await try_with(lone_api, "PATCH", path, tags, {"enabled": False}) == 412, tags
        answer = await lone_api.get(path, headers={"If-None-Match": tags})
        assert answer.status_code == 200, tags
    assert await tag(lone_api, path) == etag
    # Proxies weaken a tag, mark how they compressed, or send each in a line of its own.
    for tags in (
        "*",
        " * ",
        etag,
        f"W/{etag}",
        f'{etag[:-1]}-gzip"',
        f'"x,y" ,{etag},',
        etag[1:-1],
    ):
        assert await try_with(lone_api, "PATCH", path, tags, {"name": "Hours"}) == 200, tags
        answer = await lone_api.get(path, headers={"If-None-Match": tags})
        assert answer.status_code == 304, tags


async def test_of_many_changes_at_once_with_one_tag_one_is_made(api: Running) -> None:
    rule = await api.send("POST", "/rules", RULE)
    await api.send("POST", "/numbers", NUMBER)
    key = await api.send("POST", "/keys", KEY)
    for path, field in (
        (f"/rules/{rule['id']}", "reply"),
        ("/numbers/447700900100", "label"),
        (f"/keys/{key['id']}", "name"),
    ):
        etag = await tag(api, path)
        found = await asyncio.gather(
            *(try_with(api, "PATCH", path, etag, {field: f"text {i}"}) for i in range(6))
        )
        assert sorted(found) == [200] + [412] * 5, path


async def test_a_number_and_its_auth_values_are_guarded(api: Running) -> None:
    await api.send("POST", "/numbers", NUMBER)
    path = "/numbers/447700900100"
    etag = await tag(api, path)
    await api.send("POST", f"{path}/rotate-auth")
    for method, where, body in (
        ("PATCH", path, {"label": "Desk"}),
        ("POST", f"{path}/rotate-auth", None),
        ("DELETE", path, None),
    ):
        assert await try_with(api, method, where, etag, body) == 412
    etag = await tag(api, path)
    assert await try_with(api, "PATCH", "/numbers/07700900100", etag, {"label": "Desk"}) == 200
    assert await try_with(api, "DELETE", path, await tag(api, path)) == 204


async def test_that_a_forward_was_seen_or_a_key_used_changes_nothing_that_people_change(
    lone_api: Running,
) -> None:
    added = await lone_api.send("POST", "/numbers", NUMBER)
    path = "/numbers/447700900100"
    etag = await tag(lone_api, path)
    forward = {"auth": added["auth"][0]["value"], "dest": "447700900100", "msg": "Hello"}
    assert (await lone_api.client.get("/inbound", params=forward)).status_code == 200
    await lone_api.runtime.housekeeper.write_deferred()
    seen = await lone_api.read(path)
    assert seen["auth"][0]["last_seen_at"] is not None
    assert await tag(lone_api, path) != etag
    assert await try_with(lone_api, "PATCH", path, etag, {"label": "Desk"}) == 200
    key = await lone_api.send("POST", "/keys", KEY)
    etag = await tag(lone_api, f"/keys/{key['id']}")
    lone_api.clock.now += timedelta(hours=1)
    await lone_api.read("/messages", key=key["key"])
    assert await try_with(lone_api, "PATCH", f"/keys/{key['id']}", etag, {"name": "x"}) == 200


async def test_keys_opt_outs_and_the_sender_are_guarded_too(api: Running) -> None:
    key = await api.send("POST", "/keys", KEY)
    path = f"/keys/{key['id']}"
    etag = await tag(api, path)
    assert await try_with(api, "PATCH", path, etag, {"name": "other"}) == 200
    assert await try_with(api, "DELETE", path, etag) == 412
    await api.send("POST", "/opt-outs", OPT_OUT)
    assert await try_with(api, "DELETE", "/opt-outs/447700900123", '"old"') == 412
    etag = await tag(api, "/opt-outs/447700900123")
    assert await try_with(api, "DELETE", "/opt-outs/447700900123", etag) == 204
    etag = await tag(api, "/sender")
    assert await try_with(api, "POST", "/sender", etag, {"state": "paused"}) == 200
    assert await try_with(api, "POST", "/sender", etag, {"state": "running"}) == 412
