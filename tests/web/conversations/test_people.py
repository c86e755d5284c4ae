"""The pages of people: cards, searches, and the provider's address book."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.simulated import ADA, GRACE, Simulated, simulated_in_process
from tests.web.conversations.test_inbox import HOSTILE, list_names, text_of
from tests.web.visiting import Visitor, visiting


async def test_a_name_typed_in_a_conversation_is_shown_everywhere(visitor: Visitor) -> None:
    await visitor.receive(text_of(1, "Anna"))
    card = {"name": "Anna Lee", "notes": "Prefers mornings", "back": "/conversations/1"}
    page = await visitor.submit("/people/447700900001", card)
    assert '<h1 dir="auto">Anna Lee</h1>' in page
    assert "Prefers mornings" in page
    assert list_names(await visitor.read("/")) == ["Anna Lee"]
    assert "Anna Lee" in await visitor.read("/people?q=lee")
    assert "Typed here" in await visitor.read("/people")
    page = await visitor.submit("/people/447700900001", {"remove": "1"})
    assert "Card removed." in page
    assert "Nobody yet" in await visitor.read("/people")


async def test_an_empty_card_and_a_long_name_are_refused_with_what_was_typed(
    lone_visitor: Visitor,
) -> None:
    for name in ("", "x" * 201):
        answer = await lone_visitor.post("/people/447700900001", {"name": name})
        assert answer.status_code == 422
        assert 'id="name-error"' in answer.text
        assert f'value="{name}"' in answer.text
    answer = await lone_visitor.get("/people?card=07700+900001")
    assert answer.headers["location"] == "/people/447700900001"


async def test_hostile_names_notes_and_numbers_are_only_text(lone_visitor: Visitor) -> None:
    await lone_visitor.receive(text_of(1, HOSTILE, source="A/B <C>"))
    await lone_visitor.submit("/people/A/B%20%3CC%3E", {"name": HOSTILE, "notes": HOSTILE})
    for path in ("/people", "/people/A/B%20%3CC%3E", "/conversations/1"):
        page = await lone_visitor.read(path)
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page


@pytest.fixture
async def provider() -> AsyncIterator[Simulated]:
    async with simulated_in_process() as simulated:
        yield simulated


async def test_a_contact_is_added_and_renamed_at_the_provider(
    provider: Simulated, tmp_path: Path
) -> None:
    async with visiting("", tmp_path, provider=provider.client) as visitor:
        form = {"name": "Ada Lovelace", "contact": "1"}
        assert "address book" in await visitor.submit(f"/people/{ADA}", form)
        await visitor.submit(f"/people/{ADA}", form | {"name": "Ada Byron"})
        book = await provider.client.get_all_contacts()
        assert [(each.name, each.number) for each in book.rows] == [("Ada Byron", ADA)]
        # The name shows where nobody has typed another, and goes with its contact.
        await visitor.submit(f"/people/{ADA}", {"remove": "1"})
        await visitor.read("/contacts")
        assert "provider&#39;s address book" in await visitor.read(f"/people/{ADA}")
        assert "Ada Byron" in await visitor.read("/people")
        await provider.client.delete_all_contacts()
        await visitor.read("/contacts")
        assert "Ada Byron" not in await visitor.read("/people")


async def test_without_an_account_the_card_says_so(lone_visitor: Visitor) -> None:
    page = await lone_visitor.read(f"/people/{GRACE}")
    assert "once an account is set up" in page
    assert 'name="contact"' not in page
