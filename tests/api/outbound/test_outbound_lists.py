"""What programs find of what they sent: by reference, status or change, and as a feed."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.domain.outbound.requests import OutboundRequest
from app.storage.db.database import PostgresDatabase
from app.storage.outbound.outbox import Addressee, queue_texts
from tests.api.post import SHOP, Post, open_post
from tests.conftest import NOW
from tests.support.messages import make_message
from tests.support.simulated import ADA, GRACE


async def receive(post: Post, number: int, **fields: Any) -> None:
    await post.api.store(make_message(number, **fields))
    await post.api.handle()


async def find_ids(post: Post, query: str) -> list[str]:
    return [each["id"] for each in (await post.api.read(f"/outbound?{query}"))["items"]]


async def test_a_text_keeps_a_reference_and_metadata(post: Post) -> None:
    sent = await post.send(ADA, reference="order 4711", metadata={"shop": "north", "no": "7"})
    await post.send(GRACE, reference="order 4712")
    await post.send(GRACE)
    [text] = sent["items"]
    assert (text["reference"], text["metadata"]) == ("order 4711", {"shop": "north", "no": "7"})
    shown = await post.api.read(f"/outbound/{text['id']}")
    assert (shown["reference"], shown["metadata"]) == (text["reference"], text["metadata"])
    assert await find_ids(post, "reference=order 4711") == [text["id"]]
    assert await find_ids(post, "reference=order") == []
    [last, *_] = (await post.api.read("/outbound"))["items"]
    assert (last["reference"], last["metadata"]) == (None, {})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("reference", ""),
        ("reference", "x" * 201),
        ("reference", "a\0b"),
        ("metadata", {str(i): "x" for i in range(21)}),
        ("metadata", {"a": "x" * 501}),
        ("metadata", {"a": 1}),
        ("metadata", {"": "a"}),
        ("metadata", ["a"]),
    ],
)
async def test_a_reference_or_metadata_that_is_wrong_is_named(
    lone_post: Post, field: str, value: Any
) -> None:
    answer = await lone_post.try_to_send(ADA, **{field: value})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"].startswith(field)


async def test_a_text_names_its_conversation_and_so_does_a_message(post: Post) -> None:
    [text] = (await post.send(ADA))["items"]
    [conversation] = (await post.api.read("/conversations"))["items"]
    assert text["conversation_id"] == conversation["id"]
    await receive(post, 1, source=ADA, dest=SHOP)
    [message] = (await post.api.read("/messages"))["items"]
    assert message["conversation_id"] == conversation["id"]
    shown = await post.api.read(f"/messages/{message['id']}")
    assert shown["conversation_id"] == conversation["id"]


async def test_several_statuses_are_alternatives(post: Post) -> None:
    [first] = (await post.send(ADA))["items"]
    [second] = (await post.send(GRACE))["items"]
    await post.api.send("POST", f"/outbound/{first['id']}/cancel")
    assert await find_ids(post, "status=queued") == [second["id"]]
    for query in ("status=queued&status=cancelled", "status=queued,cancelled"):
        assert await find_ids(post, query) == [second["id"], first["id"]]
    assert await find_ids(post, f"status=sent&status=cancelled&to={ADA}") == [first["id"]]
    page = await post.api.read("/outbound?status=queued,cancelled&limit=1")
    [last] = await find_ids(post, f"status=cancelled&status=queued&cursor={page['next']}")
    assert {page["items"][0]["id"], last} == {first["id"], second["id"]}
    answer = await post.api.get("/outbound?status=queued&status=nonsense")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "status.1")
    answer = await post.api.get(f"/outbound?to={ADA}&to={GRACE}")
    assert answer.json()["errors"][0]["code"] == "repeated"


async def test_what_has_changed_since_is_found(post: Post) -> None:
    [first] = (await post.send(ADA))["items"]
    [second] = (await post.send(GRACE))["items"]
    post.api.clock.now += timedelta(minutes=5)
    since = post.api.clock.now.isoformat().replace("+00:00", "Z")
    assert await find_ids(post, f"updated_since={since}") == []
    await post.api.send("POST", f"/outbound/{first['id']}/cancel")
    assert await find_ids(post, f"updated_since={since}") == [first["id"]]
    assert await find_ids(post, f"updated_since={since}&order=asc") == [first["id"]]
    assert await find_ids(post, f"updated_since={since}&status=queued") == []
    early = (NOW - timedelta(days=1)).isoformat().replace("+00:00", "Z")
    assert await find_ids(post, f"updated_since={early}") == [second["id"], first["id"]]


async def test_the_feed_of_texts_shows_each_once_oldest_first(post: Post) -> None:
    sent = [(await post.send(ADA))["items"][0]["id"] for _ in range(5)]
    seen: list[str] = []
    cursor = ""
    for _ in range(4):
        page = await post.api.read(f"/outbound?order=asc&limit=2{cursor}")
        assert page["next"] is not None
        seen += [each["id"] for each in page["items"]]
        cursor = f"&cursor={page['next']}"
    assert seen == sent
    new = (await post.send(GRACE))["items"][0]["id"]
    page = await post.api.read(f"/outbound?order=asc&limit=2{cursor}")
    assert [each["id"] for each in page["items"]] == [new]
    post.wait(hours=1)
    last = (await post.send(GRACE))["items"][0]["id"]
    at = post.now.isoformat().replace("+00:00", "Z")
    for bound, ids in (("since", [last]), ("until", [*sent, new])):
        page = await post.api.read(f"/outbound?order=asc&{bound}={at}")
        assert [each["id"] for each in page["items"]] == ids
    newest = await post.api.read("/outbound?limit=2")
    answer = await post.api.get(f"/outbound?order=asc&limit=2&cursor={newest['next']}")
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-cursor")


async def test_the_feed_waits_for_a_text_that_another_process_has_not_committed(
    postgres_url: str, tmp_path: Any
) -> None:
    async with open_post(postgres_url, tmp_path) as post:
        other = PostgresDatabase(postgres_url)
        async with AsyncEngine(other._engine).connect() as connection:
            new = OutboundRequest(SHOP, "Early")
            await connection.run_sync(queue_texts, new, [Addressee(ADA)], "cli:test", NOW)
            await post.send(GRACE)
            reading = asyncio.create_task(post.api.read("/outbound?order=asc"))
            await asyncio.sleep(0.3)
            assert not reading.done()
            await connection.commit()
            page = await asyncio.wait_for(reading, 10)
        await other.close()
    assert [each["to"] for each in page["items"]] == [ADA, GRACE]


@pytest.mark.parametrize("offset", ["%2B0000", "-0000", "%2B00", "%2B00:00", "Z", "z"])
async def test_an_offset_may_be_written_without_its_colon(lone_post: Post, offset: str) -> None:
    answer = await lone_post.api.get(f"/outbound?since=2026-06-01T12:00:00{offset}")
    assert answer.status_code == 200, answer.text


async def test_messages_are_found_by_the_providers_id(post: Post) -> None:
    await receive(post, 1, source=ADA, provider_id="4711", body="One")
    await receive(post, 2, source=GRACE, provider_id="4712", body="Two")
    [found] = (await post.api.read("/messages?provider_id=4711"))["items"]
    assert found["body"] == "One"
    assert (await post.api.read("/messages?provider_id=47"))["items"] == []
    assert (await post.api.read(f"/messages?provider_id=4711&source={GRACE}"))["items"] == []
