"""The pages of the rules: their order, switching, editing, and a trial over real texts."""

import re
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from tests.conftest import NOW
from tests.support.messages import make_message
from tests.web.visiting import Visitor

FORM = {
    "name": "Hours",
    "enabled": "on",
    "keyword": "hours",
    "timezone": "Europe/London",
    "reply": "Dear {name|customer}, from 9 to 17",
}


async def add(visitor: Visitor, **changes: str) -> str:
    """Add a rule; the text of the list that follows."""
    return await visitor.submit("/rules/new", FORM | changes)


async def show_again(visitor: Visitor, path: str, form: dict[str, str]) -> httpx2.Response:
    """The page at an address of its own that a form with errors, or one that is tried, leads to."""
    answer = await visitor.post(path, form)
    assert answer.status_code == 303
    return await visitor.get(answer.headers["location"])


async def list_rules(visitor: Visitor) -> list[dict[str, Any]]:
    items = (await visitor.running.read("/rules"))["items"]
    return sorted(items, key=lambda rule: rule["position"])


async def list_names(visitor: Visitor) -> list[str]:
    return [rule["name"] for rule in await list_rules(visitor)]


def read_names(page: str) -> list[str]:
    return re.findall(r'<h2><a href="/rules/\d+" dir="auto">([^<]*)</a>', page)


async def hear(visitor: Visitor, *bodies: str) -> None:
    await visitor.receive(
        *(
            make_message(
                number,
                source=f"4477009000{number:02}",
                body=body,
                arrived_at=NOW - timedelta(minutes=number),
            )
            for number, body in enumerate(bodies, start=1)
        )
    )


async def test_a_rule_is_added_changed_and_removed(visitor: Visitor) -> None:
    page = await add(visitor)
    assert "The rule “Hours” is active." in page
    assert "the first word is “hours”" in page
    form = await visitor.read("/rules/1")
    assert "Dear {name|customer}, from 9 to 17</textarea>" in form
    page = await visitor.submit(
        "/rules/1", FORM | {"name": "Times", "keyword": "", "contains": "open"}
    )
    assert "it contains “open”" in page
    [rule] = await list_rules(visitor)
    assert (rule["name"], rule["keyword"], rule["contains"]) == ("Times", None, "open")
    assert "Remove the rule" in await visitor.read("/rules/1/remove")
    assert "No rules yet" in await visitor.submit("/rules/1/remove")


async def test_every_field_comes_back_as_it_was_typed(visitor: Visitor) -> None:
    typed = FORM | {
        "dest": "447700900100",
        "contains": "open",
        "pattern": r"\bopen\b",
        "source_prefix": "4477",
        "from": "17:00",
        "to": "09:00",
        "timezone": "Europe/Paris",
        "valid_from": "2026-06-01T09:00",
        "valid_until": "2026-07-01T09:00",
        "cooldown_seconds": "2",
        "cooldown_unit": "hours",
        "source": "Shop",
    }
    answer = await visitor.client.post(
        "/rules/new",
        data=typed | {"days": ["mon", "tue"]},
        headers={"Origin": "https://texts.example.com"},
    )
    assert answer.status_code == 303
    [rule] = await list_rules(visitor)
    assert rule["valid_from"] == "2026-06-01T07:00:00.000000Z"
    assert (rule["cooldown_seconds"], rule["days"]) == (7200, ["mon", "tue"])
    form = await visitor.read("/rules/1")
    shown = dict(re.findall(r'<input id="\w+" name="(\w+)"[^>]*?value="([^"]*)"', form))
    assert {name: shown.get(name) for name in shown if name in typed and name != "enabled"} == {
        name: value
        for name, value in typed.items()
        if name not in {"dest", "reply", "cooldown_unit", "enabled"}
    }
    assert '<option value="hours" selected>' in form
    assert '<option value="447700900100" selected>' in form
    assert re.findall(r'name="days" value="(\w+)" checked', form) == ["mon", "tue"]


async def test_rules_are_put_in_order_and_switched_without_a_script(visitor: Visitor) -> None:
    for name in ("One", "Two", "Three"):
        await add(visitor, name=name)
    page = await visitor.submit("/rules/3/move", {"direction": "up"})
    assert read_names(page) == ["One", "Three", "Two"]
    page = await visitor.submit("/rules/1/move", {"direction": "down"})
    assert read_names(page) == ["Three", "One", "Two"]
    page = await visitor.submit("/rules/3/move", {"direction": "up"})
    assert read_names(page) == ["Three", "One", "Two"]
    page = await visitor.submit("/rules/1/switch", {"off": "1"})
    assert "The rule “One” is off." in page
    assert [rule["enabled"] for rule in await list_rules(visitor)] == [True, False, True]
    await visitor.submit("/rules/1/switch", {"on": "1"})
    assert all(rule["enabled"] for rule in await list_rules(visitor))


async def test_what_people_do_to_rules_is_in_the_audit_trail(lone_visitor: Visitor) -> None:
    await add(lone_visitor)
    await lone_visitor.submit("/rules/1/switch", {"off": "1"})
    trail = (await lone_visitor.running.read("/audit"))["items"]
    done = [(each["actor"], each["action"]) for each in trail if "rule" in each["action"]]
    assert done == [("member:mem_1", "rule.change"), ("member:mem_1", "rule.create")]
    page = await lone_visitor.read("/audit?action=rule.create")
    assert "created the rule Hours" in re.sub("<[^>]+>", "", page)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"keyword": "two words"}, "keyword"),
        ({"pattern": "("}, "pattern"),
        ({"source_prefix": "00 07"}, "source_prefix"),
        ({"days": "someday"}, "days"),
        ({"from": "9"}, "from"),
        ({"to": "25:00"}, "to"),
        ({"timezone": "Mars"}, "timezone"),
        ({"valid_from": "soon"}, "valid_from"),
        ({"valid_from": "2026-06-02T09:00", "valid_until": "2026-06-01T09:00"}, "valid_until"),
        ({"cooldown_seconds": "-1"}, "cooldown_seconds"),
        ({"source": "a name that is too long"}, "source"),
        ({"reply": ""}, "reply"),
        ({"reply": "{nobody}"}, "reply"),
        ({"reply": "x" * 460}, "reply"),
    ],
)
async def test_each_mistake_stands_beside_its_field_and_nothing_is_saved(
    shared_lone_visitor: Visitor, changes: dict[str, str], field: str
) -> None:
    answer = await show_again(shared_lone_visitor, "/rules/new", FORM | changes)
    assert answer.status_code == 422
    assert f'id="{field}-error"' in answer.text
    assert await list_rules(shared_lone_visitor) == []


async def test_a_draft_is_tried_over_real_texts_and_answers_nobody(visitor: Visitor) -> None:
    await hear(visitor, "Hours?", "Something else", "hours please <b>")
    page = (await show_again(visitor, "/rules/new", FORM | {"try": "1"})).text
    assert "It would have answered 2 of the 3 most recent texts." in page
    assert "Dear Anna, from 9 to 17" in page
    assert "hours please &lt;b&gt;" in page
    assert 'value="Hours"' in page
    assert await list_rules(visitor) == []
    part = (await visitor.post("/rules/try", FORM | {"keyword": "zebra"})).text
    assert "It would have answered 0 of the" in part
    assert "<html" not in part
    assert (await visitor.running.read("/outbound"))["items"] == []


async def test_a_draft_takes_the_place_of_the_rule_that_it_changes(lone_visitor: Visitor) -> None:
    await hear(lone_visitor, "Hours?")
    await add(lone_visitor)
    await add(lone_visitor, name="All", keyword="")
    part = (await lone_visitor.post("/rules/try", FORM | {"id": "2", "keyword": ""})).text
    assert "It matches none of them, or an earlier rule answers them." in part
    part = (await lone_visitor.post("/rules/try", FORM | {"id": "1", "keyword": ""})).text
    assert "It would have answered 1 of the" in part


async def test_a_draft_that_is_not_finished_says_what_is_missing(lone_visitor: Visitor) -> None:
    part = await lone_visitor.post("/rules/try", FORM | {"reply": "{nobody}"})
    assert part.status_code == 200
    assert "no placeholder is called {nobody}" in part.text


async def test_a_conversation_names_the_rule_that_answered(lone_visitor: Visitor) -> None:
    await add(lone_visitor)
    lone_visitor.running.clock.now = NOW
    await hear(lone_visitor, "hours")
    page = await lone_visitor.read("/conversations/1")
    assert "Answered by the rule “Hours”: the first word is “hours”" in page
    assert '<a href="/rules/1" dir="auto">Hours</a>' in page
    await lone_visitor.submit("/rules/1/remove")
    assert "that has since been deleted" in await lone_visitor.read("/conversations/1")


@pytest.mark.parametrize("path", ["/rules/9", "/rules/9/remove"])
async def test_a_rule_that_is_not_there_is_a_page(lone_visitor: Visitor, path: str) -> None:
    assert (await lone_visitor.get(path)).status_code == 404


async def test_a_new_rule_goes_before_the_rule_that_answers_any_text(visitor: Visitor) -> None:
    await add(visitor, name="Hours")
    await add(visitor, name="Away", keyword="")
    form = await visitor.read("/rules/new")
    assert "Before “Away”, which answers any text</option>" in form
    await add(visitor, name="Prices", keyword="prices")
    assert await list_names(visitor) == ["Hours", "Prices", "Away"]
    await add(visitor, name="Night", keyword="", **{"from": "22:00", "to": "06:00"})
    assert await list_names(visitor) == ["Hours", "Prices", "Night", "Away"]


async def test_a_rule_goes_where_the_person_says_and_moves_by_its_form(visitor: Visitor) -> None:
    for name in ("One", "Two", "Three"):
        await add(visitor, name=name, keyword=name)
    await add(visitor, name="New", keyword="new", place="first")
    assert await list_names(visitor) == ["New", "One", "Two", "Three"]
    await add(visitor, name="Newer", keyword="newer", place="1")
    assert await list_names(visitor) == ["New", "One", "Newer", "Two", "Three"]
    await visitor.submit("/rules/4", FORM | {"name": "New", "keyword": "new", "place": "3"})
    assert await list_names(visitor) == ["One", "Newer", "Two", "Three", "New"]
    await visitor.submit("/rules/4", FORM | {"name": "New", "keyword": "new"})
    assert await list_names(visitor) == ["One", "Newer", "Two", "Three", "New"]
    answer = await show_again(visitor, "/rules/new", FORM | {"place": "nowhere"})
    assert answer.status_code == 422
    assert "Choose a place from the list" in answer.text


async def test_a_change_with_an_error_is_shown_again_as_it_was_typed(lone_visitor: Visitor) -> None:
    await add(lone_visitor)
    answer = await show_again(lone_visitor, "/rules/1", FORM | {"name": "New", "reply": "{nobody}"})
    assert answer.status_code == 422
    assert 'value="New"' in answer.text
    assert 'id="reply-error"' in answer.text
    assert await list_names(lone_visitor) == ["Hours"]


async def test_a_rule_that_another_shadows_is_marked_with_what_that_one_took(
    visitor: Visitor,
) -> None:
    await hear(visitor, "hours", "hours please", "hello")
    await add(visitor, name="Away", keyword="")
    page = await add(visitor, place="1")
    warning = "“Away” comes first and answers the same texts. It took 2 recent texts"
    assert page.count(warning) == 2
    assert page.count("Never reached") == 1
    page = await visitor.submit("/rules/2/move", {"direction": "up"})
    assert "Never reached" not in page


async def test_a_draft_is_tried_at_the_place_where_it_will_go(visitor: Visitor) -> None:
    await hear(visitor, "hours", "hello")
    await add(visitor, name="Away", keyword="")
    for place, count in (("", 1), ("1", 0), ("first", 1)):
        answer = await visitor.post("/rules/try", FORM | {"place": place})
        assert f"It would have answered {count} of the 2" in answer.text


async def test_a_rule_that_ends_in_the_repeated_hour_asks_once_which_is_meant(
    lone_visitor: Visitor,
) -> None:
    typed = FORM | {"valid_until": "2026-10-25T01:30"}
    answer = await show_again(lone_visitor, "/rules/new", typed)
    assert answer.status_code == 422
    assert "This time comes twice in Europe/London" in answer.text
    page = await add(lone_visitor, valid_until="2026-10-25T01:30", valid_until_fold="1")
    assert "until 25 Oct 2026, 01:30 GMT" in page
    form = await lone_visitor.read("/rules/1")
    assert 'name="valid_until_fold" value="1" checked' in form


async def test_rules_of_the_same_name_are_told_apart_in_the_list(lone_visitor: Visitor) -> None:
    for number, name in enumerate(("Away", "AWAY", "Hours")):
        body = {"name": name, "keyword": f"word{number}", "reply": "Hello"}
        await lone_visitor.running.send("POST", "/rules", body)
    assert (await lone_visitor.read("/rules")).count("Same name as another") == 2
