"""/inbound as the provider meets it."""

import json
from urllib.parse import urlencode

import pytest

from app.flows.admit import Gate
from app.flows.configure import add_number, rotate_auth
from tests.support.kit import Kit
from tests.support.service import AUTH

FIELDS = {
    "source": "447700900123",
    "dest": "447700900456",
    "msg": "Caf\u00e9 \U0001f600 & more",
    "id": "17",
    "receivedts": "2026-06-01 12:00:00",
    "MMName": "Anna",
}


async def test_a_get_is_stored_as_it_was_meant(kit: Kit) -> None:
    answer = await kit.client.get("/inbound", params={**FIELDS, "auth": AUTH})
    assert (answer.status_code, answer.text) == (200, "OK")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    [message] = (await kit.get("/messages"))["items"]
    assert message["body"] == "Caf\u00e9 \U0001f600 & more"
    assert message["received_at"] == "2026-06-01T11:00:00.000000Z"
    assert message["merge_fields"] == {"name": "Anna"}
    assert message["problems"] == []
    assert message["via"] == "forward"


@pytest.mark.parametrize("kind", ["form", "multipart", "json", "text", "mixed"])
async def test_every_kind_of_post_gives_the_same_message(kit: Kit, kind: str) -> None:
    fields = {**FIELDS, "auth": AUTH}
    if kind == "form":
        answer = await kit.client.post("/inbound", data=fields)
    elif kind == "multipart":
        parts = {name: (None, value) for name, value in fields.items()}
        answer = await kit.client.post("/inbound", files=parts)
    elif kind == "json":
        answer = await kit.client.post("/inbound", json=fields)
    elif kind == "text":
        answer = await kit.client.post(
            "/inbound", content=urlencode(fields), headers={"Content-Type": "text/plain"}
        )
    else:
        query = urlencode({"auth": AUTH, "id": "17"})
        body = {name: value for name, value in FIELDS.items() if name != "id"}
        answer = await kit.client.post(f"/inbound?{query}", data=body)
    assert answer.status_code == 200
    [message] = (await kit.get("/messages"))["items"]
    assert message["body"] == FIELDS["msg"]
    assert message["provider_id"] == "17"
    assert message["merge_fields"] == {"name": "Anna"}
    assert message["problems"] == []


async def test_a_redelivery_is_answered_alike_and_stored_once(kit: Kit) -> None:
    for _ in range(3):
        assert (await kit.forward()).text == "OK"
    assert len((await kit.get("/messages"))["items"]) == 1


async def test_the_raw_parameters_are_shown_without_the_secret(kit: Kit) -> None:
    await kit.client.post(
        f"/inbound?{urlencode({'AUTH': AUTH, 'odd': 'x'})}", json={**FIELDS, "Auth": AUTH}
    )
    [message] = (await kit.get("/messages"))["items"]
    shown = await kit.get(f"/messages/{message['id']}")
    assert ["odd", "x"] in shown["raw"]["parameters"]
    assert ["msg", FIELDS["msg"]] in shown["raw"]["parameters"]
    assert AUTH not in json.dumps(shown)


async def test_odd_content_is_kept_and_flagged(kit: Kit) -> None:
    query = f"auth={AUTH}&msg=Caf%E9%00&Source=Shop&dest=447700900456&id=&x=1&msg=again"
    assert (await kit.client.get(f"/inbound?{query}")).status_code == 200
    [message] = (await kit.get("/messages"))["items"]
    assert message["body"] == "Caf\u00e9\ufffd"
    assert message["source"] == "Shop"
    assert message["extra"] == {"x": "1"}
    assert message["problems"] == ["charset", "control", "time", "no-id", "repeated"]


@pytest.mark.parametrize(
    ("changes", "reason"), [({"auth": "wrong-one"}, "wrong-auth"), ({"auth": ""}, "missing-auth")]
)
async def test_a_wrong_auth_leaves_nothing_but_a_refusal(
    kit: Kit, changes: dict[str, str], reason: str
) -> None:
    assert (await kit.forward(**changes)).status_code == 403
    await kit.runtime.tender.write_notices()
    assert (await kit.get("/messages"))["items"] == []
    [refusal] = (await kit.get("/refusals"))["items"]
    assert (refusal["reason"], refusal["dest"]) == (reason, "447700900456")
    assert "wrong-one" not in json.dumps(refusal)


async def test_other_methods_are_told_which_ones_there_are(kit: Kit) -> None:
    answer = await kit.client.put("/inbound")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, POST"


async def test_over_64_kib_is_refused_and_alerted(kit: Kit) -> None:
    answer = await kit.client.post(f"/inbound?auth={AUTH}", content="x" * (64 * 1024 + 1))
    assert answer.status_code == 413
    await kit.runtime.tender.write_notices()
    [alert] = (await kit.get("/alerts", open="true"))["items"]
    assert alert["kind"] == "too-large"
    assert alert["action"]


async def test_just_64_kib_is_kept(kit: Kit) -> None:
    body = f"auth={AUTH}&msg=".encode()
    body += b"x" * (64 * 1024 - len(body))
    assert (await kit.client.post("/inbound", content=body)).status_code == 200


async def test_a_number_added_elsewhere_opens_at_once(kit: Kit) -> None:
    made = await add_number(
        kit.runtime.database, "447700900456", region="GB", who="cli:test", now=kit.runtime.now()
    )
    assert (await kit.forward(auth=made.value)).status_code == 200
    assert (await kit.forward("2", dest="447700900789", auth=AUTH)).status_code == 200
    page = await kit.get("/messages")
    assert [message["problems"] for message in page["items"]] == [["unknown-number"], []]


async def test_a_numbers_own_auth_does_not_open_another_number(kit: Kit) -> None:
    database, now = kit.runtime.database, kit.runtime.now()
    made = await add_number(database, "447700900456", region="GB", who="cli:test", now=now)
    await add_number(database, "447700900457", region="GB", who="cli:test", now=now)
    assert (await kit.forward(dest="447700900457", auth=made.value)).status_code == 403
    assert (await kit.forward(dest="", auth=made.value)).status_code == 200


async def test_after_a_rotation_both_values_open_until_the_older_one_ends(kit: Kit) -> None:
    database = kit.runtime.database
    old = await add_number(
        database, "447700900456", region="GB", who="cli:test", now=kit.runtime.now()
    )
    new = await rotate_auth(database, "447700900456", who="cli:test", now=kit.runtime.now())
    for value in (old.value, new.value):
        assert (await kit.forward(auth=value)).status_code == 200
    await kit.runtime.tender.write_notices()
    shown = await kit.get("/numbers/447700900456")
    assert all(auth["last_seen_at"] for auth in shown["auth"])


async def test_known_values_open_while_the_database_is_away(kit: Kit) -> None:
    # A gate made anew from the file that the first one wrote, over a database that is closed.
    made = await add_number(
        kit.runtime.database, "447700900456", region="GB", who="cli:test", now=kit.runtime.now()
    )
    await kit.runtime.gate.refresh()
    gate = Gate(
        kit.runtime.database, kit.runtime.data_dir.auth_cache, "another", now=kit.runtime.now
    )
    assert gate.find(made.value.encode(), "447700900456", kit.runtime.now()) is not None
    assert gate.find(b"unknown", "447700900456", kit.runtime.now()) is None
