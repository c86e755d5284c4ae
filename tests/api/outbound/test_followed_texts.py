"""GET /outbound and what else tells of texts: lists, one with all it went through, events."""

import json

import pytest

from app.storage.outbound import lists
from tests.api.post import SHOP, Post
from tests.api.streams import streaming
from tests.support.messages import make_message
from tests.support.simulated import ADA, GRACE


async def test_a_text_is_followed_from_the_call_to_its_delivery(post: Post) -> None:
    [queued] = (await post.send(ADA))["items"]
    await post.deliver()
    sent = await post.api.read(f"/outbound/{queued['id']}")
    assert (sent["status"], sent["attempts"], len(sent["provider_ids"])) == ("sent", 1, 1)
    [call] = sent["calls"]
    assert (call["fate"], call["code"]) == ("certainly taken", None)
    post.wait(minutes=5)
    await post.check()
    done = await post.api.read(f"/outbound/{queued['id']}")
    assert (done["status"], done["provider_status"]) == ("delivered", "Delivered")
    steps = [(each["status"], each["told_by"]) for each in done["history"]]
    assert steps == [("queued", "key:LETTERBOX_API_KEY"), ("sent", "send"), ("delivered", "check")]
    assert post.provider.list_taken() == [ADA]


async def test_each_filter_narrows_the_list_and_pages_hold_each_text_once(post: Post) -> None:
    api = post.api
    await api.store(make_message(1, source=ADA))
    ids = []
    for number in range(6):
        to = GRACE if number % 2 else ADA
        source = "Shop" if number == 5 else SHOP
        reply = {"in_reply_to": "msg_1"} if number == 4 else {}
        ids += [each["id"] for each in (await post.send(to, source=source, **reply))["items"]]
        post.wait(minutes=1)
    assert await post.find() == ids[::-1]
    assert await post.find(to=f"+{ADA}") == [ids[4], ids[2], ids[0]]
    assert await post.find(source="Shop") == [ids[5]]
    assert await post.find(to=GRACE, source=SHOP) == [ids[3], ids[1]]
    assert await post.find(in_reply_to="msg_1") == [ids[4]]
    assert await post.find(in_reply_to="nonsense") == []
    assert await post.find(rule_id="rul_1") == []
    assert await post.find(q="HELL") == ids[::-1]
    assert await post.find(q="hell", to=GRACE) == [ids[5], ids[3], ids[1]]
    assert await post.find(q="hell goodbye") == []
    assert await post.find(since="2026-06-01T12:04:00Z") == [ids[5], ids[4]]
    assert await post.find(until="2026-06-01T12:01:00Z") == [ids[0]]
    await api.call("POST", f"/outbound/{ids[0]}/cancel")
    assert await post.find(status="cancelled") == [ids[0]]
    assert await post.find(status="queued", to=ADA) == [ids[4], ids[2]]
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = await api.read("/outbound", params={"limit": 2, "to": ADA, **cursor})
        seen += [each["id"] for each in page["items"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert seen == [ids[4], ids[2], ids[0]]


async def test_a_rare_combination_is_found_in_steps_of_bounded_work(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "WALK_ROWS", 4)
    await post.send(ADA, source="Shop")
    for _ in range(10):
        await post.send(ADA)
    pages = 0
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = await post.api.read("/outbound", params={"to": ADA, "source": "Shop", **cursor})
        pages += 1
        found += [each["id"] for each in page["items"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert (found, pages) == (["out_1"], 3)


async def test_what_is_in_doubt_is_found_at_once_among_many_texts(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "WALK_ROWS", 4)
    await post.send(ADA)
    await post.make_uncertain(sending=True)
    await post.make_uncertain()
    for _ in range(10):
        await post.send(ADA)
    assert await post.find(status="uncertain", source=SHOP) == ["out_1"]


async def test_the_recipients_of_a_list_are_counted_and_listed(post: Post) -> None:
    [item] = (await post.send(None, list="people"))["items"]
    assert (item["to"], item["list"], item["recipients"]) == (None, "people", {})
    await post.deliver()
    post.wait(minutes=5)
    await post.check()
    shown = await post.api.read(f"/outbound/{item['id']}")
    assert shown["recipients"] == {"delivered": 2}
    assert (shown["provider_ids"], len(shown["background_ids"])) == ([], 1)
    page = await post.api.read(f"/outbound/{item['id']}/recipients", params={"limit": 1})
    rest = await post.api.read(
        f"/outbound/{item['id']}/recipients", params={"limit": 1, "cursor": page["next"]}
    )
    assert {each["to"] for each in page["items"] + rest["items"]} == {ADA, GRACE}
    assert {each["status"] for each in page["items"]} == {"delivered"}
    assert rest["next"] is None
    assert (await post.api.get("/outbound/out_99/recipients")).status_code == 404


async def test_events_tell_of_new_texts_and_of_every_change(post: Post) -> None:
    async with streaming(post.api) as stream:
        await stream.next()
        [item] = (await post.send(ADA))["items"]
        new = await stream.next()
        assert (new.name, json.loads(new.data)) == ("outbound", item)
        await post.deliver()
        sent = await stream.next()
        assert (sent.name, json.loads(sent.data)["status"]) == ("status", "sent")
    post.wait(minutes=5)
    await post.check()
    async with streaming(post.api, after=sent.id) as stream:
        done = await stream.next()
        assert done.name == "status"
        assert json.loads(done.data) == (await post.api.read("/outbound"))["items"][0]


async def test_a_message_shows_its_replies_and_what_became_of_them(post: Post) -> None:
    await post.api.store(make_message(1, source=ADA, raw=b'["GET", "", null]\n'))
    [item] = (await post.send(ADA, in_reply_to="msg_1"))["items"]
    assert item["in_reply_to"] == "msg_1"
    await post.deliver()
    [reply] = (await post.api.read("/messages/msg_1"))["replies"]
    assert (reply["id"], reply["status"]) == (item["id"], "sent")
    other = await post.try_to_send(GRACE, in_reply_to="msg_1")
    assert [each["field"] for each in other.json()["errors"]] == ["to"]
