"""Drafts on the pages: kept for the person, and others see who is writing but not what."""

import re
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from app.web.application import Pages
from tests.api.streams import opening
from tests.support.messages import make_message
from tests.support.simulated import ADA
from tests.web.core.test_live import list_cookies
from tests.web.visiting import Visitor, browsing, visiting_with_account

PATH = "/conversations/1"
WRITING = re.compile(r'<p id="writing"[^>]*>(.*?)</p>', re.DOTALL)
FIELD = re.compile(r'<textarea id="body"[^>]*>\n?(.*?)</textarea>', re.DOTALL)


@pytest.fixture
async def grace(database_url: str, tmp_path: Path) -> AsyncIterator[Visitor]:
    async with visiting_with_account(database_url, tmp_path, name="Grace") as visitor:
        await visitor.receive(make_message(1, source=ADA, dest="447700900100"))
        yield visitor


@pytest.fixture
async def ada(grace: Visitor) -> AsyncIterator[Visitor]:
    async with browsing(grace.running) as other:
        await other.sign_in("Ada")
        yield other


async def save(visitor: Visitor, body: str, path: str = f"{PATH}/draft") -> None:
    assert (await visitor.post(path, {"body": body, "kind": "to"})).status_code == 204


async def show(visitor: Visitor, path: str, form: Mapping[str, str]) -> str:
    """The page that a form shows again, at once or at an address of its own."""
    answer = await visitor.post(path, form)
    return await visitor.read(answer.headers["location"]) if answer.is_redirect else answer.text


def read_field(page: str) -> str:
    found = FIELD.search(page)
    assert found is not None
    return found[1]


def read_writers(page: str) -> str:
    return " ".join(re.sub("<[^>]+>", "", WRITING.findall(page)[0]).split())


async def test_a_draft_is_there_again_in_any_browser_of_its_writer(
    grace: Visitor, ada: Visitor
) -> None:
    await save(grace, "We are <open>\nuntil six")
    async with browsing(grace.running) as at_home:
        await at_home.sign_in("Grace")
        assert read_field(await at_home.read(PATH)) == "We are &lt;open&gt;\nuntil six"
    assert read_field(await ada.read(PATH)) == ""
    await save(grace, "")
    assert read_field(await grace.read(PATH)) == ""


async def test_a_draft_ends_when_its_text_is_sent_and_not_when_it_is_refused(
    grace: Visitor,
) -> None:
    await save(grace, "x" * 460)
    refused = await grace.post(f"{PATH}/reply", {"body": "x" * 460, "send": "1"})
    assert refused.status_code == 422
    assert read_field(await grace.read(PATH)) == "x" * 460
    await grace.submit(f"{PATH}/reply", {"body": "Until six", "send": "1"})
    assert read_field(await grace.read(PATH)) == ""


async def test_others_see_who_is_writing_for_a_while_and_no_word_of_it(
    grace: Visitor, ada: Visitor
) -> None:
    await save(grace, "A secret")
    for path in (PATH, f"{PATH}/writing"):
        page = await ada.read(path)
        assert "Grace is writing" in read_writers(page)
        assert "data-poll" in WRITING.search(page)[0]  # type: ignore[index]
        assert "A secret" not in page
    assert read_writers(await grace.read(PATH)) == ""
    ada.running.clock.now += timedelta(seconds=16)
    page = await ada.read(f"{PATH}/writing")
    assert read_writers(page) == ""
    assert "data-poll" not in page


async def test_pages_hear_when_somebody_begins_and_ends_writing_but_not_each_word(
    grace: Visitor, ada: Visitor
) -> None:
    pages = Pages(grace.running.runtime)
    async with opening(pages, "/live", list_cookies(ada)) as stream:
        assert (await stream.next()).name == "ready"
        await save(grace, "A")
        await save(grace, "A secret")
        await save(grace, "")
        await ada.read(PATH)
        told = [await stream.next() for _ in range(3)]
    assert [(each.name, each.data) for each in told] == [
        ("draft", '["conversation-1"]'),
        ("draft", '["conversation-1"]'),
        ("read", "[]"),
    ]


async def test_a_new_message_has_a_draft_too_until_it_is_sent(grace: Visitor) -> None:
    await save(grace, "", "/new/draft")
    typed = {"kind": "to", "to": "07700 900043", "source": "447700900100", "body": "Closed today"}
    assert (await grace.post("/new/draft", typed)).status_code == 204
    page = await grace.read("/new")
    assert read_field(page) == "Closed today"
    assert "07700 900043" in page
    assert read_field(await grace.read("/new?to=447700900044")) == ""
    checked = (await grace.post("/new", typed)).headers["location"]
    assert read_field(await grace.read("/new")) == "Closed today"
    await grace.submit("/new/send", {"form": checked.rpartition("=")[2]})
    assert read_field(await grace.read("/new")) == ""


async def test_a_draft_belongs_to_a_conversation_that_exists(grace: Visitor) -> None:
    assert (await grace.post("/conversations/99/draft", {"body": "x"})).status_code == 404


@pytest.mark.parametrize("path", [f"{PATH}/reply", "/new"])
async def test_plain_characters_are_offered_where_they_save_a_part(
    grace: Visitor, path: str
) -> None:
    fancy = "It\u2019s " * 20
    form = {"body": fancy, "source": "447700900100"}
    counted = await show(grace, path, {**form, "preview": "1"})
    assert "Use plain characters: saves 1 part<" in counted
    plain = await show(grace, path, {**form, "plain": "1"})
    assert read_field(plain) == ("It&#39;s " * 20).strip()
    assert 'name="plain"' not in plain
    short = await show(grace, path, {**form, "body": "It\u2019s", "preview": "1"})
    assert 'name="plain"' not in short


async def test_the_count_offers_plain_characters_to_forms_that_take_them(grace: Visitor) -> None:
    typed = {"body": "It\u2019s " * 20}
    assert 'name="plain"' not in (await grace.post("/measure", typed)).text
    assert 'name="plain"' in (await grace.post("/measure", {**typed, "offer": "1"})).text
