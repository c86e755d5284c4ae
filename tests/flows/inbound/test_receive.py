"""/inbound as the provider meets it."""

import asyncio
import gzip
import ipaddress
import json
import zlib
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from app.api.inbound.endpoint import InboundEndpoint
from app.flows.access.configure import add_number
from app.flows.inbound import receive
from app.flows.inbound.receive import Receiver
from tests.support.kit import Kit
from tests.support.service import AUTH

if TYPE_CHECKING:
    from app.api.http.answers import Answer
    from app.domain.errors import LetterboxError


FIELDS = {
    "source": "447700900123",
    "dest": "447700900456",
    "msg": "Caf\u00e9 \U0001f600 & more",
    "id": "17",
    "receivedts": "2026-06-01 12:00:00",
    "MMName": "Anna",
}
FULL = {**FIELDS, "auth": AUTH}


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
@pytest.mark.alike
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


async def test_a_forward_is_not_behind_all_the_large_ones_that_came_before(kit: Kit) -> None:
    """Each takes milliseconds to read, whether or not it turns out to be anybody's."""
    order: list[int] = []
    answered = asyncio.Event()
    endpoint = InboundEndpoint(kit.runtime.receiver, kit.runtime.deferred_writes, [])

    def take(query: bytes) -> None:
        def note(answer: "Answer") -> None:
            order.append(answer.status)
            if len(order) == 21:
                answered.set()

        endpoint.take("GET", query, (), ("127.0.0.1", 40000), b"", note)

    for _ in range(20):
        take(b"a=%26&" * 10_000)
    take(urlencode(FULL).encode())
    async with asyncio.timeout(20):
        await answered.wait()
    assert order.count(403) == 20
    assert order.index(200) < 15


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


async def test_other_methods_are_told_which_ones_there_are(kit: Kit) -> None:
    answer = await kit.client.put("/inbound")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, POST"


async def test_over_64_kib_is_refused_and_alerted(kit: Kit) -> None:
    answer = await kit.client.post(f"/inbound?auth={AUTH}", content="x" * (64 * 1024 + 1))
    assert answer.status_code == 413
    await kit.runtime.housekeeper.write_deferred()
    [alert] = (await kit.get("/alerts", open="true"))["items"]
    assert alert["kind"] == "too-large"
    assert alert["action"]


async def test_just_64_kib_is_kept(kit: Kit) -> None:
    body = f"auth={AUTH}&msg=".encode()
    body += b"x" * (64 * 1024 - len(body))
    assert (await kit.client.post("/inbound", content=body)).status_code == 200


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Content-Type": "application/x-www-form-urlencoded"}, urlencode(FULL).encode() + b"\r\n"),
        ({"Content-Encoding": "gzip"}, gzip.compress(urlencode(FULL).encode())),
        ({"Content-Encoding": "deflate"}, zlib.compress(json.dumps(FULL).encode())),
        ({"Content-Type": "application/json; charset=utf-16"}, json.dumps(FULL).encode("utf-16")),
        ({"Content-Type": "application/json"}, json.dumps({"sms": [FULL]}).encode()),
        (
            {"Content-Type": "text/plain"},
            "\r\n".join(f"{name}={value}" for name, value in FULL.items()).encode(),
        ),
    ],
)
@pytest.mark.alike
async def test_with_the_right_auth_an_odd_body_is_a_message(
    kit: Kit, headers: dict[str, str], body: bytes
) -> None:
    answer = await kit.client.post("/inbound", content=body, headers=headers)
    assert (answer.status_code, answer.text) == (200, "OK")
    [message] = (await kit.get("/messages"))["items"]
    assert (message["body"], message["provider_id"]) == (FIELDS["msg"], "17")
    assert message["problems"] == []


async def test_a_get_with_a_body_is_read_like_a_post(kit: Kit) -> None:
    receiver = kit.runtime.receiver
    told: asyncio.Future[LetterboxError | None] = asyncio.get_running_loop().create_future()
    body = gzip.compress(urlencode(FULL).encode())
    receiver.take("GET", b"", b"", body, "192.0.2.1", told.set_result, coding=b"gzip")
    assert await told is None
    [message] = (await kit.get("/messages"))["items"]
    assert message["body"] == FIELDS["msg"]


async def test_a_bomb_is_too_large_and_is_counted(kit: Kit) -> None:
    bomb = gzip.compress(b"auth=" + AUTH.encode() + b"&msg=" + b"x" * 10_000_000)
    answer = await kit.client.post("/inbound", content=bomb, headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 413
    await kit.runtime.housekeeper.write_deferred()
    assert (await kit.get("/messages"))["items"] == []
    [alert] = (await kit.get("/alerts", open="true"))["items"]
    assert alert["kind"] == "too-large"


async def test_the_address_is_looked_at_before_all_else_and_auth_before_the_rest(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, now = kit.runtime.database, kit.runtime.now()
    await add_number(database, FIELDS["dest"], region="GB", who="cli:test", now=now)
    await kit.runtime.auth_gate.refresh()
    read: list[str] = []
    for name in ("read_request", "parse"):
        original = getattr(receive, name)

        def note(*args: Any, name: str = name, original: Any = original, **more: Any) -> Any:
            read.append(name)
            return original(*args, **more)

        monkeypatch.setattr(receive, name, note)
    receiver = Receiver(
        kit.runtime.auth_gate,
        kit.runtime.intake,  # type: ignore[arg-type]
        forwarders=[ipaddress.ip_network("192.0.2.0/24")],
        zone=kit.runtime.settings.zone,
        region="GB",
        deferred_writes=kit.runtime.deferred_writes,
        now=kit.runtime.now,
        make_nonce=lambda: b"",
    )
    endpoint = InboundEndpoint(receiver, kit.runtime.deferred_writes, [])

    async def ask(address: str, auth: str, **headers: str) -> tuple[int, str]:
        told: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        query = urlencode({**FIELDS, "auth": auth}).encode()
        pairs = [
            (name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()
        ]
        endpoint.take("GET", query, pairs, (address, 40000), b"", told.set_result)
        answer = await told
        return answer.status, answer.body.decode()

    status, text = await ask("198.51.100.1", AUTH)
    assert (status, "LETTERBOX_FORWARDERS" in text, "PROXIES" in text) == (403, True, False)
    status, text = await ask("198.51.100.1", AUTH, x_forwarded_for="192.0.2.1")
    assert (status, "LETTERBOX_TRUSTED_PROXIES" in text) == (403, True)
    assert (await ask("nonsense", AUTH))[0] == 403
    assert read == []
    status, text = await ask("192.0.2.1", "wrong")
    assert (status, "auth" in text) == (403, True)
    assert read == ["read_request"]
    assert await ask("192.0.2.1", AUTH) == (200, "OK")
    assert await ask("::ffff:192.0.2.1", AUTH) == (200, "OK")
    assert read[1:] == ["read_request", "parse"] * 2
    refused: set[tuple[str, str]] = set()
    async with asyncio.timeout(10):
        # The service itself may be writing some of them down just now.
        while len(refused) < 3:
            await kit.runtime.housekeeper.write_deferred()
            refusals = (await kit.get("/refusals"))["items"]
            refused = {(each["reason"], each["dest"]) for each in refusals}
    reasons = ("forwarder", "untrusted-proxy", "wrong-auth")
    assert refused == {(reason, "447700900456") for reason in reasons}


async def test_a_secret_is_not_kept_where_it_stands_a_second_time(kit: Kit) -> None:
    nested = json.dumps({**FIELDS, "auth": AUTH, "more": {"auth": AUTH, "list": [AUTH]}})
    answer = await kit.client.post(
        f"/inbound?auth[]={AUTH}",
        content=nested,
        headers={"Content-Type": f"application/json; auth={AUTH}"},
    )
    assert answer.status_code == 200
    [message] = (await kit.get("/messages"))["items"]
    shown = await kit.get(f"/messages/{message['id']}")
    assert AUTH not in json.dumps(shown)
    assert message["extra"] == {"more": '{"auth":"","list":[""]}'}
