"""/conversations: the pairs, and one with its messages."""

from datetime import timedelta
from typing import Any

from app.domain.rules.rules import Rule
from app.storage.operations.events import KEPT
from app.storage.rules.rules import add_rule as store_rule
from tests.api.post import Post
from tests.api.running import BASE_URL, Running, list_ids
from tests.conftest import NOW
from tests.support.messages import make_message
from tests.support.simulated import ADA, GRACE

SHOP, DESK = "447700900100", "447700900101"
SENDERS = [f"4477009001{number:02}" for number in range(10, 17)]


async def store_pairs(api: Running) -> None:
    """Seven senders text the shop, a minute apart; the first one texts the desk too."""
    for number, source in enumerate(SENDERS, start=1):
        arrived_at = NOW + timedelta(minutes=number)
        await api.store(make_message(number, source=source, arrived_at=arrived_at))
    await api.store(make_message(8, source=SENDERS[0], dest=DESK, arrived_at=NOW))


async def walk(api: Running, **params: Any) -> list[str]:
    """The last messages' ids of every conversation, page by page."""
    found: list[str] = []
    page: dict[str, Any] = {"next": None}
    while not found or page["next"]:
        cursor = {"cursor": page["next"]} if page["next"] else {}
        page = await api.read("/conversations", params={**params, **cursor})
        found += [item["last_message"]["provider_id"] for item in page["items"]]
    return found


async def test_a_conversation_is_the_object_of_the_contract(api: Running) -> None:
    await api.store(make_message(1), make_message(2, merge_fields={}))
    [shown] = (await api.read("/conversations"))["items"]
    last = (await api.read("/messages"))["items"][0]
    assert shown == {
        "id": "cnv_1",
        "dest": SHOP,
        "source": "447700900001",
        "name": "Anna",
        "last_message": last,
        "last_outbound": None,
        "unread": 2,
        "opted_out": False,
        "state": "open",
        "needs": "answer",
        "assigned_to": None,
        "updated_at": "2026-06-01T12:00:00.000000Z",
    }


async def test_the_newest_message_comes_first_and_pages_hold_each_pair_once(api: Running) -> None:
    await store_pairs(api)
    assert await walk(api, limit=3) == list("76543218")
    await api.store(make_message(9, source=SENDERS[2], arrived_at=NOW + KEPT))
    assert await walk(api, limit=3) == list("97654218")


async def test_each_filter_narrows_the_list(api: Running) -> None:
    await store_pairs(api)
    for number in (1, 8):
        await api.send("POST", f"/messages/msg_{number}/read")
    assert await walk(api, dest=DESK) == ["8"]
    assert await walk(api, source=f"+{SENDERS[0]}") == ["1", "8"]
    assert await walk(api, unread="false") == ["1", "8"]
    assert await walk(api, unread="true", limit=2) == list("765432")
    assert await walk(api, unread="true", dest=SHOP) == list("765432")


async def test_one_conversation_has_its_messages_page_by_page(api: Running) -> None:
    await api.store(*(make_message(number) for number in range(1, 6)), make_message(6, dest=DESK))
    listed = (await api.read("/conversations", params={"dest": SHOP}))["items"][0]
    answer = await api.get(f"/conversations/{listed['id']}", params={"limit": 3})
    shown = answer.json()
    assert listed.items() <= shown.items()
    assert list_ids(shown) == ["5", "4", "3"]
    assert {item["direction"] for item in shown["items"]} == {"inbound"}
    assert answer.headers["link"].startswith(f"<{BASE_URL}/api/v1/conversations/{listed['id']}?")
    rest = await api.read(f"/conversations/{listed['id']}", params={"cursor": shown["next"]})
    assert (list_ids(rest), rest["next"]) == (["2", "1"], None)


async def test_a_cursor_belongs_to_its_conversation(api: Running) -> None:
    await api.store(make_message(1), make_message(2), make_message(3, dest=DESK))
    cursor = (await api.read("/conversations/cnv_1", params={"limit": 1}))["next"]
    other = await api.get("/conversations/cnv_2", params={"cursor": cursor})
    assert other.status_code == 422


async def test_an_unknown_conversation_is_404(lone_api: Running) -> None:
    assert (await lone_api.get("/conversations/cnv_1")).status_code == 404
    assert (await lone_api.get("/conversations/msg_1")).status_code == 404


async def add_rule(post: Post, **fields: Any) -> None:
    rule = Rule(name="test", timezone="UTC", dest=SHOP, **fields)
    await post.api.runtime.database.write(store_rule, rule, now=NOW)


async def read_thread(post: Post, conversation_id: str, limit: int) -> list[str]:
    """The bodies of a conversation by all its pages, with an arrow for the direction."""
    arrows = {"inbound": "<", "outbound": ">"}
    found: list[str] = []
    params: dict[str, Any] = {"limit": limit}
    while True:
        page = await post.api.read(f"/conversations/{conversation_id}", params=params)
        found += [arrows[each["direction"]] + each["body"] for each in page["items"]]
        assert len(page["items"]) <= limit
        if page["next"] is None:
            return found
        params["cursor"] = page["next"]


async def test_a_conversation_merges_what_both_sides_wrote_page_by_page(post: Post) -> None:
    await add_rule(post, keyword="hours", reply="From ten to four")
    said = ["Hello", "hours", "Thanks"]
    expected = []
    for number, body in enumerate(said, start=1):
        await post.api.store(make_message(number, source=ADA, body=body, arrived_at=post.now))
        expected.append(f"<{body}")
        if body == "hours":
            expected.append(">From ten to four")
        post.wait(minutes=1)
        await post.send(ADA, body=f"Answer {number}", source=SHOP)
        expected.append(f">Answer {number}")
        post.wait(minutes=1)
    # From another number of ours, but in reply: it stands where the message does.
    await post.send(ADA, body="Last", source=DESK, in_reply_to="msg_3")
    expected = [*expected, ">Last"][::-1]
    [listed] = (await post.api.read("/conversations"))["items"]
    for limit in (1, 2, 3, 50):
        assert await read_thread(post, listed["id"], limit) == expected
    whole = await post.api.read(f"/conversations/{listed['id']}")
    assert whole["items"][0].items() >= (await post.api.read("/outbound"))["items"][0].items()


async def test_what_comes_in_between_two_pages_is_on_neither(post: Post) -> None:
    for number in range(1, 4):
        await post.api.store(make_message(number, source=ADA, arrived_at=post.now))
        post.wait(minutes=1)
    await post.send(ADA, body="one")
    await post.send(ADA, body="two")
    [listed] = (await post.api.read("/conversations"))["items"]
    path = f"/conversations/{listed['id']}"
    first = await post.api.read(path, params={"limit": 1})
    await post.send(ADA, body="three")
    await post.api.store(make_message(4, source=ADA, arrived_at=post.now))
    rest = await post.api.read(path, params={"cursor": first["next"]})
    bodies = [each["body"] for each in first["items"] + rest["items"]]
    assert bodies == ["two", "one", "text 3", "text 2", "text 1"]


async def test_a_conversation_may_begin_with_us(post: Post) -> None:
    await post.send([ADA, GRACE], body="Are you coming?")
    assert len((await post.api.read("/conversations"))["items"]) == 2
    [begun] = (await post.api.read("/conversations", params={"source": ADA}))["items"]
    assert (begun["last_message"], begun["unread"], begun["name"]) == (None, 0, None)
    assert await read_thread(post, begun["id"], 50) == [">Are you coming?"]
    post.wait(minutes=1)
    await post.api.store(make_message(1, source=ADA, body="Yes", arrived_at=post.now))
    [first, _] = (await post.api.read("/conversations"))["items"]
    assert (first["id"], first["last_message"]["body"]) == (begun["id"], "Yes")
    assert (first["unread"], first["name"]) == (1, "Anna")
    assert first["updated_at"] == "2026-06-01T12:01:00.000000Z"


async def test_who_is_written_to_by_hand_comes_to_the_top_and_stays_there(post: Post) -> None:
    for number, source in enumerate((ADA, GRACE), start=1):
        await post.api.store(make_message(number, source=source, arrived_at=post.now))
        post.wait(minutes=1)
    await post.send(ADA)

    async def list_sources() -> list[str]:
        return [each["source"] for each in (await post.api.read("/conversations"))["items"]]

    assert await list_sources() == [ADA, GRACE]
    # A text that arrived before, and comes to be handled only now, takes nothing back.
    await post.api.store(make_message(3, source=ADA, arrived_at=NOW + timedelta(seconds=30)))
    assert await list_sources() == [ADA, GRACE]
    [first, _] = (await post.api.read("/conversations"))["items"]
    assert (first["last_message"]["body"], first["updated_at"]) == (
        "text 3",
        "2026-06-01T12:02:00.000000Z",
    )
