"""The handle flow: what people find messages by, a moment behind the acknowledgement."""

import asyncio

import pytest

from app.flows.inbound.handle import handle_batch
from tests.support.kit import Kit


@pytest.mark.parametrize("handled", [True, False])
async def test_each_filter_finds_its_messages_handled_or_not(kit: Kit, handled: bool) -> None:
    await kit.forward("1", msg="Hello Anna", MMName="Anna")
    await kit.forward("2", msg="Good bye", source="447700900222", MM1="gold")
    await kit.forward("3", msg="hello BOB", dest="447700900777", receivedts="nonsense")
    if handled:
        await kit.handle()
    assert await kit.find(source="447700900222") == ["2"]
    assert await kit.find(dest="447700900777") == ["3"]
    assert await kit.find(dest="447700900456", source="447700900123") == ["1"]
    assert await kit.find(q="HELLO") == ["3", "1"]
    assert await kit.find(q="hello ann") == ["1"]
    assert await kit.find(q="oo by") == ["2"]
    assert await kit.find(problem="time") == ["3"]
    assert await kit.find(via="forward", source="447700900123") == ["3", "1"]
    assert await kit.find(**{"mm.name": "Anna"}) == ["1"]
    assert await kit.find(**{"mm.1": "gold"}) == ["2"]
    assert await kit.find(until="2026-06-02T00:00:00Z") == ["2", "1"]
    assert await kit.find(since="2026-06-02T00:00:00Z") == ["3"]
    assert await kit.find(unread="true") == ["3", "2", "1"]
    assert await kit.find(unread="false") == []


async def test_a_conversation_keeps_the_newest_not_the_last_handled(kit: Kit) -> None:
    await kit.forward("1", msg="older", MMName="Anna")
    await kit.forward("2", msg="newer")
    await kit.handle()
    [conversation] = (await kit.get("/conversations"))["items"]
    assert conversation["last_message"]["body"] == "newer"
    assert conversation["name"] == "Anna"
    assert conversation["unread"] == 2


async def test_a_known_id_with_another_text_is_flagged(kit: Kit) -> None:
    await kit.forward("7", msg="one")
    await kit.handle()
    await kit.forward("7", msg="two")
    await kit.forward("7", msg="three")
    await kit.handle()
    page = await kit.get("/messages")
    assert [item["problems"] for item in page["items"]] == [["id-reused"], ["id-reused"], []]
    assert await kit.find(problem="id-reused") == ["7", "7"]


async def test_two_workers_at_once_handle_each_message_once(kit: Kit) -> None:
    for number in range(60):
        await kit.forward(str(number), source=f"4477009001{number % 7:02}")
    runtime = kit.runtime
    counts = await asyncio.gather(
        *(runtime.database.write(handle_batch, runtime.now(), limit=10) for _ in range(12))
    )
    assert sum(count.messages for count in counts) <= 60
    await kit.handle()
    pages = (await kit.get("/conversations"))["items"]
    assert sum(item["unread"] for item in pages) == 60
    stats = (await kit.get("/stats"))["items"]
    assert [item["received"] for item in stats] == [60]


async def test_a_sender_of_any_length_can_be_handled_and_found(kit: Kit) -> None:
    # PostgreSQL refuses an index entry of 2.7 KB: such a message must not block the queue.
    sender = "Shop" * 3000
    await kit.client.post("/inbound", json={"auth": "an-auth-value-of-the-tests", "source": sender})
    await kit.handle()
    assert len((await kit.get("/conversations"))["items"]) == 1
    page = await kit.get("/messages")
    assert page["items"][0]["source"] == sender
    assert page["items"][0]["handled_at"] is not None
