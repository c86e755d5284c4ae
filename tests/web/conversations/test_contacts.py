"""The page that imports contacts, where nothing needs a real browser."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.simulated import Simulated, simulated_in_process
from tests.web.visiting import Visitor, visiting

PATH = "/contacts/import"
FORM = {"csv": "Anna,447700900123\n", "once": "a-nonce", "duplicates": "ignore"}


@pytest.fixture
async def provider() -> AsyncIterator[Simulated]:
    async with simulated_in_process() as opened:
        yield opened


@pytest.fixture
async def clerk(database_url: str, tmp_path: Path, provider: Simulated) -> AsyncIterator[Visitor]:
    async with visiting(database_url, tmp_path, provider=provider.client) as visitor:
        yield visitor


async def list_audited(clerk: Visitor) -> list[dict[str, Any]]:
    found = await clerk.running.read("/audit", params={"action": "contacts.import"})
    items: list[dict[str, Any]] = found["items"]
    return items


async def count_contacts(clerk: Visitor) -> int:
    """Those of the address book, once the import is done."""
    async with asyncio.timeout(10):
        while " imported" not in await clerk.read("/contacts/imports/1"):  # noqa: ASYNC110 a page rings no bell
            await asyncio.sleep(0.01)
    return len((await clerk.running.read("/contacts"))["items"])


async def test_a_double_click_imports_once_and_shows_the_import_twice(clerk: Visitor) -> None:
    answers = await asyncio.gather(*(clerk.post(PATH, FORM) for _ in range(4)))
    assert [answer.headers["location"] for answer in answers] == ["/contacts/imports/1"] * 4
    assert len(await list_audited(clerk)) == 1
    assert await count_contacts(clerk) == 1
    late = await clerk.post(PATH, FORM)
    assert late.headers["location"] == "/contacts/imports/1"
    assert await count_contacts(clerk) == 1


async def test_what_was_changed_before_the_second_click_is_another_import(clerk: Visitor) -> None:
    changes = [{}, {"csv": "Grace,447700900124\n"}, {"duplicates": "overwrite"}, {"once": "other"}]
    for number, change in enumerate(changes, 1):
        answer = await clerk.post(PATH, FORM | change)
        assert answer.headers["location"] == f"/contacts/imports/{number}"
    assert len(await list_audited(clerk)) == len(changes)


async def test_each_showing_of_the_form_has_a_name_that_an_error_keeps(clerk: Visitor) -> None:
    first, second = await clerk.read(PATH), await clerk.read(PATH)
    assert 'name="once"' in first
    assert first != second
    answer = await clerk.post(PATH, {"csv": " ", "once": "a-nonce"})
    assert answer.status_code == 303
    answer = await clerk.get(answer.headers["location"])
    assert answer.status_code == 422
    assert "There is no contact to import" in answer.text
    assert 'name="once" value="a-nonce"' in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/contacts/csv",
        "/outbox/csv",
        "/opt-outs/csv",
        "/audit/csv",
        "/reports/csv?type=Outbox&from=2026-06-01&to=2026-06-02",
    ],
)
@pytest.mark.alike
async def test_a_file_says_that_it_is_utf_8_as_spreadsheets_want_it(
    clerk: Visitor, path: str
) -> None:
    saved = await clerk.get(path)
    assert saved.status_code == 200, saved.text
    assert saved.content.startswith(b"\xef\xbb\xbf")
    assert saved.content.count(b"\xef\xbb\xbf") == 1


async def test_the_contacts_that_were_saved_can_be_imported_as_they_are(clerk: Visitor) -> None:
    await clerk.post(PATH, FORM)
    assert await count_contacts(clerk) == 1
    saved = (await clerk.get("/contacts/csv")).content.decode()
    again = {"csv": saved, "once": "another", "duplicates": "overwrite"}
    answer = await clerk.post(PATH, again)
    assert answer.status_code == 303, answer.text
    await clerk.read(answer.headers["location"])
    assert await count_contacts(clerk) == 1
