"""Numbers as people and programs write them, at each door of the REST interface."""

from urllib.parse import quote

import pytest

from tests.api.post import SHOP, Post
from tests.api.running import AUTH, Running

SENDER = "447700900123"
WRITTEN = [
    "447700900123",
    "+447700900123",
    "07700900123",
    "07700 900 123",
    "+44 (0)7700 900123",
    "\u202a07700\u2013900123\u202c",
    "tel:+44-7700-900123",
    "07700900123\n",
]


async def forward(api: Running, source: str, msg: str, number: int = 1) -> None:
    query = f"dest=07700900100&id={number}&auth={AUTH}&source={quote(source)}&msg={quote(msg)}"
    assert (await api.client.get(f"/inbound?{query}")).status_code == 200
    await api.handle()


async def test_every_filter_and_path_finds_a_number_however_it_is_written(lone_post: Post) -> None:
    api = lone_post.api
    await forward(api, SENDER, "Hello")
    sent = await lone_post.send(SENDER)
    await api.send("POST", "/numbers", {"number": "07700 900100"})
    for written in WRITTEN:
        for path, name in (("/messages", "source"), ("/conversations", "source")):
            assert (await api.read(path, params={name: written}))["items"], (path, written)
        assert await lone_post.find(to=written) == [sent["items"][0]["id"]]
        path = quote(written, safe="")
        await api.send("POST", "/opt-outs", {"number": written})
        assert (await api.read("/opt-outs", params={"number": written}))["items"]
        assert (await api.read(f"/opt-outs/{path}"))["number"] == SENDER
        await api.send("DELETE", f"/opt-outs/{path}")
    shop = quote("+44 (0)7700 900100")
    assert (await api.read(f"/numbers/{shop}"))["number"] == SHOP
    assert (await api.read("/messages", params={"dest": "07700 900100"}))["items"]
    assert await lone_post.find(source="07700900100") == [sent["items"][0]["id"]]
    assert (await api.read("/stats", params={"number": "07700 900100"}))["items"]


@pytest.mark.parametrize(
    "source", ["07700900123", "+44 (0)7700 900123", "\u202a07700 900123\u202c"]
)
async def test_the_stop_of_a_sender_in_the_national_form_holds(api: Running, source: str) -> None:
    await forward(api, source, "STOP")
    assert [each["number"] for each in (await api.read("/opt-outs"))["items"]] == [SENDER]
    [message] = (await api.read("/messages"))["items"]
    assert (message["source"], message["outcome"]["code"]) == (SENDER, "opt-out")


async def test_a_sender_is_one_conversation_however_the_number_came(api: Running) -> None:
    for place, source in enumerate(WRITTEN, start=1):
        await forward(api, source, f"text {place}", place)
    [conversation] = (await api.read("/conversations"))["items"]
    assert (conversation["source"], conversation["dest"]) == (SENDER, SHOP)


async def test_a_message_under_one_id_is_stored_once_however_its_numbers_are_written(
    api: Running,
) -> None:
    for source in WRITTEN:
        await forward(api, source, "Hello")
    assert len((await api.read("/messages"))["items"]) == 1


async def test_short_codes_and_names_stay_as_they_came(api: Running) -> None:
    for place, source in enumerate(["60777", "Shop", "24/7 Gym"], start=1):
        await forward(api, source, "Hello", place)
        [found] = (await api.read("/messages", params={"source": source}))["items"]
        assert (found["source"], found["outcome"]["code"]) == (source, "unanswerable")


async def test_what_a_rule_answers_from_is_read_as_any_other_number(lone_api: Running) -> None:
    made = await lone_api.send(
        "POST",
        "/rules",
        {
            "name": "All",
            "reply": "Hi",
            "source": "\u202a07700 900100\u202c",
            "dest": "+44 (0)7700 900100",
            "source_prefix": "077",
        },
    )
    assert (made["source"], made["dest"], made["source_prefix"]) == (SHOP, SHOP, "4477")
