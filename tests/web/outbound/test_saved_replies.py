"""Saved replies: their pages, and inserting one without a script."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.messages import make_message
from tests.support.simulated import ADA, GRACE
from tests.web.visiting import Visitor, visiting_with_account

SHOP = "447700900100"
HOURS = {"name": "Hours", "body": "Hello {name|there}, you wrote {keyword|nothing}. We close at 5."}


@pytest.fixture
async def clerk(database_url: str, tmp_path: Path) -> AsyncIterator[Visitor]:
    async with visiting_with_account(database_url, tmp_path) as visitor:
        text = make_message(
            1, source=ADA, dest=SHOP, body="Open today?", merge_fields={"name": "Ada"}
        )
        await visitor.receive(text)
        await visitor.submit("/saved-replies", HOURS)
        yield visitor


async def test_a_saved_reply_is_added_changed_and_removed(clerk: Visitor) -> None:
    page = await clerk.read("/saved-replies")
    path = re.search(r'href="(/saved-replies/\d+)"', page)
    assert path is not None
    assert "Hello {name|there}" in await clerk.read(path[1])
    page = await clerk.submit(path[1], {"name": "Opening hours", "body": "From 9 to 5"})
    assert "From 9 to 5" in page
    assert "Texts that were written with it stay" in await clerk.read(f"{path[1]}/remove")
    assert "No saved replies yet" in await clerk.submit(f"{path[1]}/remove")


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"name": ""}, "name", "characters"),
        ({"name": "HOURS"}, "name", "another saved reply has this name"),
        ({"name": "x", "body": "Hi {nobody}"}, "body", "no placeholder is called"),
        ({"name": "x", "body": "x" * 460}, "body", "at most 459"),
    ],
)
async def test_each_mistake_stands_beside_its_field(
    clerk: Visitor, changes: dict[str, str], field: str, words: str
) -> None:
    answer = await clerk.post("/saved-replies", HOURS | changes)
    assert answer.status_code == 422
    error = re.search(rf'id="{field}-error">([^<]+)<', answer.text)
    assert error is not None
    assert words in error[1].replace("A", "a", 1).replace("N", "n", 1)


async def test_it_is_inserted_filled_with_what_is_known_of_the_person(clerk: Visitor) -> None:
    answer = await clerk.post(
        "/conversations/1/reply",
        {"insert": "1", "saved_reply": "1", "conversation": "1", "body": "", "to": ADA},
    )
    assert answer.status_code == 200
    filled = "Hello Ada, you wrote Open. We close at 5."
    assert f"{filled}</textarea>" in answer.text
    assert f"{len(filled)} characters" in answer.text
    assert (await clerk.running.read("/outbound"))["items"] == []


async def test_in_a_new_message_it_is_filled_for_the_one_number(clerk: Visitor) -> None:
    form = {"kind": "to", "source": SHOP, "insert": "1", "saved_reply": "1"}
    for to, name in ((ADA, "Ada"), (GRACE, "there"), (f"{ADA}, {GRACE}", "there")):
        answer = await clerk.post("/new", form | {"to": to, "body": "First"})
        page = await clerk.read(answer.headers["location"])
        assert f"First\nHello {name}, you wrote" in page


async def test_a_script_asks_for_the_filled_text_alone(clerk: Visitor) -> None:
    answer = await clerk.post("/saved-replies/fill", {"saved_reply": "1", "conversation": "1"})
    assert answer.text == "Hello Ada, you wrote Open. We close at 5."
    assert (await clerk.post("/saved-replies/fill", {"saved_reply": "9"})).status_code == 404
