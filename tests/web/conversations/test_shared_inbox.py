"""The inbox of several people: its views, done and open, assignments, notes, and CSV."""

import csv
import io
import re
from datetime import timedelta

from app.domain.outbound.requests import OutboundRequest
from app.flows.outbound.compose import compose_once
from app.storage.access.members import find_member
from app.storage.tables.outbound import outbound
from tests.conftest import NOW
from tests.support.messages import make_message
from tests.support.simulated import LONDON
from tests.web.conversations.test_inbox import list_names, text_of
from tests.web.visiting import Visitor

SHOP = "447700900100"
ANNA, BEN = "447700900001", "447700900002"


async def send(visitor: Visitor, *to: str, body: str = "Hello") -> None:
    visitor.running.clock.now += timedelta(minutes=1)
    await compose_once(
        visitor.running.runtime.database,
        OutboundRequest(SHOP, body, to=to[0] if len(to) == 1 else list(to)),
        None,
        lambda _: {},
        who="key:test",
        region="GB",
        zone=LONDON,
        now=visitor.running.clock.now,
    )


async def fail_all(visitor: Visitor) -> None:
    """As if the provider had refused every text."""
    failed = outbound.update().values(status="failed", settled_at=visitor.running.clock.now)
    write = visitor.running.runtime.database.write
    await write(lambda conn: conn.execute(failed).rowcount)


async def list_view(visitor: Visitor, view: str) -> list[str]:
    return list_names(await visitor.read(f"/?view={view}"))


def count_view(page: str, label: str) -> str:
    found = re.search(rf">{label}(?: <span class=\"badge[^>]*>([^<]*)</span>)?</a>", page)
    assert found is not None, label
    return found.group(1) or ""


async def test_a_conversation_is_done_by_a_button_and_open_again_with_the_next_text(
    visitor: Visitor,
) -> None:
    await visitor.receive(text_of(1, "Anna"), text_of(2, "Ben"))
    page = await visitor.submit("/conversations/1/state", {"state": "done"})
    assert "Marked as done." in page
    assert list_names(page) == ["Ben"]
    assert await list_view(visitor, "done") == ["Anna"]
    assert await list_view(visitor, "all") == ["Ben", "Anna"]
    assert "Reopen" in await visitor.read("/conversations/1")
    await visitor.submit("/conversations/1/state", {"state": "open"})
    assert await list_view(visitor, "") == ["Ben", "Anna"]
    await visitor.submit("/conversations/1/state", {"state": "done"})
    await visitor.receive(text_of(3, "Anna", source=ANNA))
    assert await list_view(visitor, "") == ["Anna", "Ben"]


async def test_several_are_done_at_once_and_the_view_stays(lone_visitor: Visitor) -> None:
    visitor = lone_visitor
    for number in range(1, 4):
        await visitor.receive(text_of(number, f"P{number}"))
    form = {"id": ["1", "3", "x", "99"], "state": "done", "back": "/?view=answer"}
    page = await visitor.submit("/conversations/several", form)
    assert list_names(page) == ["P2"]
    assert 'aria-current="page">Needs answer' in page
    form = {"state": "done", "back": "//evil.example"}
    answer = await visitor.post("/conversations/several", form)
    assert answer.headers["location"] == "/"
    assert await list_view(visitor, "answer") == ["P2"]


async def test_views_tell_who_waits_for_an_answer(lone_visitor: Visitor) -> None:
    visitor = lone_visitor
    await visitor.receive(text_of(1, "Anna"), text_of(2, "Ben"))
    visitor.running.clock.now += timedelta(hours=1)
    await send(visitor, ANNA)
    page = await visitor.read("/?view=answer")
    assert list_names(page) == ["Ben"]
    assert count_view(page, "Needs answer") == "1"
    assert count_view(page, "Needs attention") == ""


async def test_a_failed_text_is_seen_on_its_row_and_in_a_view_until_done(
    visitor: Visitor,
) -> None:
    await visitor.receive(text_of(1, "Anna"))
    await send(visitor, ANNA)
    await fail_all(visitor)
    page = await visitor.read("/?view=attention")
    assert list_names(page) == ["Anna"]
    assert count_view(page, "Needs attention") == "1"
    assert '<span class="badge bad">Failed</span>' in page
    assert '1<span class="for-readers"> need attention' in await visitor.read("/people")
    await visitor.submit("/conversations/1/state", {"state": "done"})
    assert await list_view(visitor, "attention") == []
    assert "need attention</span>" not in await visitor.read("/people")


async def test_what_only_we_wrote_is_hidden_until_answered_and_a_batch_is_one_row(
    visitor: Visitor,
) -> None:
    await send(visitor, *(f"4477009003{number:02}" for number in range(50)), body="To all")
    await send(visitor, BEN, body="To Ben")
    for view in ("", "all", "done"):
        assert await list_view(visitor, view) == []
    page = await visitor.read("/?view=sent")
    assert list_names(page) == ["+44 7700 900002", "To 50 people"]
    assert 'href="/batches/1"' in page
    await visitor.receive(text_of(2, "Ben", source=BEN))
    assert await list_view(visitor, "") == ["Ben"]
    assert await list_view(visitor, "sent") == ["To 50 people"]


async def test_a_conversation_is_assigned_and_shown_to_its_member(lone_visitor: Visitor) -> None:
    visitor = lone_visitor
    await visitor.receive(text_of(1, "Anna"), text_of(2, "Ben"))
    ada = await visitor.running.runtime.database.read(find_member, "Ada")
    assert ada is not None
    page = await visitor.submit("/conversations/1/assign", {"member": str(ada.id)})
    assert f'<option value="{ada.id}" selected>Ada' in page
    page = await visitor.read("/?view=mine")
    assert (list_names(page), count_view(page, "Mine")) == (["Anna"], "1")
    assert '<span class="badge plain">Ada</span>' in page
    assert await list_view(visitor, "unassigned") == ["Ben"]
    assert "Not assigned" in await visitor.submit("/conversations/1/assign", {"member": "99"})
    await visitor.submit("/conversations/1/assign", {"member": ""})
    assert await list_view(visitor, "mine") == []


async def test_a_note_stands_in_the_thread_with_its_author(lone_visitor: Visitor) -> None:
    await lone_visitor.receive(text_of(1, "Anna"))
    page = await lone_visitor.submit("/conversations/1/notes", {"note": "Call <b>her</b> back"})
    assert "Call &lt;b&gt;her&lt;/b&gt; back" in page
    assert "note by Ada, not sent" in page
    assert "Note not added" in await lone_visitor.submit("/conversations/1/notes", {"note": " "})


async def test_what_a_view_shows_is_saved_as_csv(lone_visitor: Visitor) -> None:
    visitor = lone_visitor
    await visitor.receive(text_of(1, "=Anna", body="Hi"), text_of(2, "Ben"))
    await visitor.submit("/conversations/2/state", {"state": "done"})
    await send(visitor, *(f"4477009003{number:02}" for number in range(2)), body="To all")

    async def read(query: str) -> list[dict[str, str]]:
        answer = await visitor.get(f"/inbox/csv?{query}")
        return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))

    [row] = await read("")
    assert (row["name"], row["number"], row["state"], row["needs"]) == (
        "'=Anna", ANNA, "open", "answer",
    )  # fmt: skip
    assert row["last_received"] == "Hi"
    assert [row["name"] for row in await read("view=done")] == ["Ben"]
    assert [row["last_sent"] for row in await read("view=sent")] == ["To all"]
    assert [row["name"] for row in await read("q=ben")] == ["Ben"]


async def test_a_reader_without_a_view_of_that_name_sees_the_open_ones(
    lone_visitor: Visitor,
) -> None:
    await lone_visitor.receive(make_message(1, arrived_at=NOW))
    assert await list_view(lone_visitor, "nonsense") == ["Anna"]
