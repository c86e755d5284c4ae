"""A new message: looked at before it goes, and what is said where it cannot."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from tests.support.messages import make_message
from tests.support.simulated import ADA, GRACE
from tests.web.visiting import Visitor, browsing, visiting_with_account

SHOP = "447700900100"
FORM = {"kind": "to", "to": "07700 900011", "source": SHOP, "body": "We close at noon"}


@pytest.fixture
async def clerk(database_url: str, tmp_path: Path) -> AsyncIterator[Visitor]:
    async with visiting_with_account(database_url, tmp_path) as visitor:
        await visitor.receive(make_message(1, source=ADA))
        yield visitor


async def preview(visitor: Visitor, **changes: str) -> httpx2.Response:
    """Where the form leads to."""
    answer = await visitor.post("/new", FORM | changes)
    assert answer.status_code == 303, answer.text
    return await visitor.get(answer.headers["location"])


async def look(visitor: Visitor, **changes: str) -> str:
    answer = await preview(visitor, **changes)
    assert answer.status_code == 200, answer.text
    return answer.text


def read_hidden(page: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))


async def list_texts(visitor: Visitor) -> list[tuple[str, str]]:
    items = (await visitor.running.read("/outbound"))["items"]
    return sorted((each["to"] or each["list"] or each["group"], each["body"]) for each in items)


async def test_nothing_goes_before_it_was_looked_at(clerk: Visitor) -> None:
    page = await look(clerk)
    assert "Check before sending" in page
    assert "about 1 credit" in page
    assert await list_texts(clerk) == []
    page = await clerk.submit("/new/send", read_hidden(page))
    assert "1 text queued." in page
    assert "We close at noon" in page
    assert await list_texts(clerk) == [(ADA, FORM["body"])]


async def test_a_form_that_is_sent_twice_goes_once(clerk: Visitor) -> None:
    hidden = read_hidden(await look(clerk))
    await clerk.submit("/new/send", hidden)
    await clerk.submit("/new/send", hidden)
    assert len(await list_texts(clerk)) == 1


async def test_many_numbers_are_written_as_people_write_them(clerk: Visitor) -> None:
    page = await look(clerk, to="07700 900011,+44 7700 900012\n447700900011; 07700900013")
    assert "Send to 3 numbers" in page
    assert "about 3 credits" in page
    await clerk.submit("/new/send", read_hidden(page))
    assert [to for to, _ in await list_texts(clerk)] == [ADA, GRACE, "447700900013"]


async def test_a_number_that_is_none_is_named_and_everything_typed_stays(clerk: Visitor) -> None:
    answer = await preview(clerk, to="07700 900011, 0770, nobody")
    assert answer.status_code == 422
    assert "0770: not a full phone number" in answer.text
    assert "nobody: not a full phone number" in answer.text
    assert "07700 900011, 0770, nobody</textarea>" in answer.text
    assert "We close at noon</textarea>" in answer.text


async def test_who_has_opted_out_is_shown_and_gets_nothing_unless_they_asked(
    clerk: Visitor,
) -> None:
    await clerk.running.send("POST", "/opt-outs", {"number": GRACE})
    page = await look(clerk, to=f"{ADA}, {GRACE}")
    assert "1 of 2 has opted out" in page
    assert "+44 7700 900012" in page
    assert "about 1 credit" in page
    hidden = read_hidden(page)
    await clerk.submit("/new/send", hidden)
    assert [to for to, _ in await list_texts(clerk)] == [ADA]
    await clerk.submit("/new/send", hidden | {"force": "on", "once": "another"})
    assert [to for to, _ in await list_texts(clerk)] == [ADA, ADA, GRACE]


async def test_where_all_have_opted_out_nobody_is_left(clerk: Visitor) -> None:
    await clerk.running.send("POST", "/opt-outs", {"number": ADA})
    page = await clerk.submit("/new/send", read_hidden(await look(clerk)))
    assert "Check before sending" in page
    assert "nobody to send it to" in page
    assert await list_texts(clerk) == []


@pytest.mark.parametrize("kind", ["list", "group"])
async def test_a_list_or_group_is_sent_to_by_name(clerk: Visitor, kind: str) -> None:
    page = await look(clerk, kind=kind, to="", **{kind: "customers"})
    assert f"the {kind} <strong" in page
    assert "opt-outs cannot be checked" in page
    await clerk.submit("/new/send", read_hidden(page))
    assert await list_texts(clerk) == [("customers", FORM["body"])]


async def test_it_may_wait_for_its_time_with_either_of_us(clerk: Visitor) -> None:
    page = await look(clerk, schedule_at="2026-06-02T10:00", schedule_by="provider")
    assert "held by the provider" in page
    await clerk.submit("/new/send", read_hidden(page))
    [text] = (await clerk.running.read("/outbound"))["items"]
    assert text["schedule_at"] == "2026-06-02T09:00:00.000000Z"


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"to": ""}, "to"),
        ({"kind": "list"}, "list"),
        ({"kind": "group"}, "group"),
        ({"body": ""}, "body"),
        ({"body": "x" * 460}, "body"),
        ({"source": ""}, "source"),
        ({"source": "own", "own_source": "a name that is too long"}, "source"),
        ({"schedule_at": "2026-03-29T01:30"}, "schedule_at"),
        ({"schedule_at": "soon"}, "schedule_at"),
        ({"schedule_at": "2020-01-01T10:00"}, "schedule_at"),
    ],
)
async def test_each_mistake_stands_beside_its_field(
    shared_lone_visitor: Visitor, changes: dict[str, str], field: str
) -> None:
    answer = await preview(shared_lone_visitor, **changes)
    assert answer.status_code == 422
    assert f'id="{field}-error"' in answer.text
    assert 'aria-invalid="true"' in answer.text


async def test_it_can_be_changed_after_the_look(clerk: Visitor) -> None:
    page = await look(clerk, to=f"{ADA}\n{GRACE}")
    address = re.search(r'href="(/new\?form=[^"]+)"', page)
    assert address is not None
    page = await clerk.read(address[1])
    assert f"{ADA}\n{GRACE}</textarea>" in page
    assert "We close at noon</textarea>" in page


async def test_each_page_has_an_address_that_can_be_loaded_again(clerk: Visitor) -> None:
    answer = await clerk.post("/new", FORM)
    for _ in range(2):
        assert "We close at noon" in await clerk.read(answer.headers["location"])
    answer = await clerk.post("/new", FORM | {"preview": "1"})
    assert answer.headers["location"].startswith("/new?form=")
    assert "16 characters" in await clerk.read(answer.headers["location"])
    assert (await clerk.get("/new/check?form=nothing")).status_code == 404


async def test_a_form_that_was_kept_is_found_by_whoever_wrote_it_alone(clerk: Visitor) -> None:
    answer = await clerk.post("/new", FORM)
    async with browsing(clerk.running) as other:
        await other.sign_in("Grace")
        assert (await other.get(answer.headers["location"])).status_code == 404


async def test_it_says_beforehand_that_nothing_can_be_sent(lone_visitor: Visitor) -> None:
    assert "No provider account" in await lone_visitor.read("/new")


async def test_a_time_is_meant_in_the_zone_that_the_form_names(clerk: Visitor) -> None:
    assert "<span data-zone-name>Europe/London</span> time." in await clerk.read("/new")
    page = await look(clerk, schedule_at="2026-06-02T10:00", zone="America/New_York")
    await clerk.submit("/new/send", read_hidden(page))
    [text] = (await clerk.running.read("/outbound"))["items"]
    assert text["schedule_at"] == "2026-06-02T14:00:00.000000Z"


async def test_in_the_hour_that_autumn_repeats_the_form_asks_which_is_meant(clerk: Visitor) -> None:
    typed = {"schedule_at": "2026-10-25T01:30", "zone": "Europe/London"}
    answer = await preview(clerk, **typed)
    assert answer.status_code == 422
    assert "This time comes twice in Europe/London" in answer.text
    for fold, name in (("0", "BST, before"), ("1", "GMT, after")):
        assert f'name="schedule_at_fold" value="{fold}"> 25 Oct 2026, 01:30 {name}' in answer.text
    page = await look(clerk, **typed, schedule_at_fold="1")
    assert "25 Oct 2026, 01:30 GMT" in page
    await clerk.submit("/new/send", read_hidden(page))
    [text] = (await clerk.running.read("/outbound"))["items"]
    assert text["schedule_at"] == "2026-10-25T01:30:00.000000Z"


async def test_a_zone_that_is_not_known_is_said_and_replaced(clerk: Visitor) -> None:
    answer = await preview(clerk, schedule_at="2026-06-02T10:00", zone="Moon/Tycho")
    assert answer.status_code == 422
    assert "read in Europe/London time instead" in answer.text
    # The script must not put the same zone there again.
    assert '<input type="hidden" name="zone" value="Europe/London">' in answer.text


async def test_people_lists_and_groups_are_found_by_a_part_of_their_name(clerk: Visitor) -> None:
    await clerk.running.send(
        "POST", "/outbound", {"list": "customers", "source": SHOP, "body": "x"}
    )
    page = await clerk.read("/new?q=ann")
    assert "Anna" in page
    assert f'name="add" value="{ADA}"' in page
    assert 'name="add_list" value="customers"' in await clerk.read("/new?q=custom")
    assert "Nobody found" in await clerk.read("/new?q=zzz")
    form = FORM | {"to": GRACE, "add": ADA}
    page = await clerk.submit("/new", form)
    assert f"{GRACE}\n{ADA}</textarea>" in page
    assert "We close at noon</textarea>" in page
    page = await clerk.submit("/new", FORM | {"to": f"{GRACE}, {ADA}", "add": ADA})
    assert f"{GRACE}, {ADA}</textarea>" in page
    page = await clerk.submit("/new", FORM | {"add_list": "customers"})
    assert 'value="list" checked' in page
    assert 'value="customers"' in page
