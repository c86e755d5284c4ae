"""Rules over REST: what is kept, in which order they are asked, and trials."""

from typing import Any

import pytest

from app.storage.access.audit import list_audit
from tests.api.running import Running
from tests.conftest import NOW
from tests.support.messages import make_message

SENDER = "447700900001"


async def add(api: Running, name: str = "Hours", **fields: Any) -> dict[str, Any]:
    made: dict[str, Any] = await api.send(
        "POST", "/rules", {"name": name, "reply": "We are open.", **fields}
    )
    return made


async def list_order(api: Running) -> list[tuple[str, int]]:
    items = (await api.read("/rules"))["items"]
    return [(item["name"], item["position"]) for item in sorted(items, key=_position)]


def _position(item: dict[str, Any]) -> int:
    return int(item["position"])


async def test_a_change_sets_what_it_names_and_nothing_else(api: Running) -> None:
    made = await add(api, enabled=False, cooldown_seconds=60, keyword="hours")
    renamed = await api.send("PATCH", "/rules/rul_1", {"name": "Opening hours"})
    assert renamed == made | {"name": "Opening hours"}


async def test_null_takes_a_condition_away_but_no_field_that_a_rule_needs(api: Running) -> None:
    made = await add(
        api,
        keyword="hours",
        days=["mon"],
        valid_until="2026-06-01T13:00:00Z",
        source="447700900100",
    )
    gone = dict.fromkeys(("keyword", "days", "valid_until", "source"))
    assert await api.send("PATCH", "/rules/rul_1", gone) == made | gone
    needed = ("name", "reply", "enabled", "position", "timezone", "cooldown_seconds")
    for name in needed:
        answer = await api.call("PATCH", "/rules/rul_1", json={name: None})
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == [name]
    assert await api.read("/rules/rul_1") == made | gone


async def test_a_rule_is_kept_as_it_is_understood(api: Running) -> None:
    made = await add(
        api,
        dest="07700 900100",
        keyword="hours",
        days=["sun", "mon"],
        valid_from="2026-06-01T13:00:00+01:00",
        **{"from": "09:00", "to": "17:30"},
    )
    assert made == {
        "id": "rul_1",
        "name": "Hours",
        "enabled": True,
        "position": 1,
        "dest": "447700900100",
        "keyword": "hours",
        "contains": None,
        "pattern": None,
        "source_prefix": None,
        "days": ["mon", "sun"],
        "from": "09:00",
        "to": "17:30",
        "timezone": "Europe/London",
        "valid_from": "2026-06-01T12:00:00.000000Z",
        "valid_until": None,
        "cooldown_seconds": 0,
        "source": None,
        "reply": "We are open.",
    }
    assert await api.read("/rules/rul_1") == made
    assert (await api.read("/rules"))["items"] == [made]


async def test_what_is_named_changes_and_null_takes_a_condition_away(api: Running) -> None:
    made = await add(api, keyword="hours", cooldown_seconds=60)
    changed = await api.send("PATCH", "/rules/rul_1", {"keyword": None, "reply": "Closed."})
    assert changed == {**made, "keyword": None, "reply": "Closed."}
    assert await api.send("DELETE", "/rules/rul_1") is None
    for method in ("GET", "PATCH", "DELETE"):
        answer = await api.call(method, "/rules/rul_1", json={} if method == "PATCH" else None)
        assert answer.status_code == 404


async def test_a_rule_goes_to_its_position_and_pushes_down_what_stands_there(api: Running) -> None:
    for name in ("a", "b", "c"):
        await add(api, name)
    assert await list_order(api) == [("a", 1), ("b", 2), ("c", 3)]
    await add(api, "d", position=2)
    assert await list_order(api) == [("a", 1), ("d", 2), ("b", 3), ("c", 4)]
    await add(api, "e", position=20)
    await api.send("PATCH", "/rules/rul_3", {"position": 1})
    assert await list_order(api) == [("c", 1), ("a", 2), ("d", 3), ("b", 4), ("e", 20)]
    await add(api, "f")
    assert (await list_order(api))[-1] == ("f", 21)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("name", {"name": ""}),
        ("reply", {"reply": "Hello {nmae}"}),
        ("pattern", {"pattern": "("}),
        ("from", {"from": "9"}),
        ("from_time", {"from_time": "09:00"}),
        ("days.0", {"days": ["monday"]}),
        ("timezone", {"timezone": "London"}),
        ("valid_until", {"valid_until": "tomorrow"}),
        ("cooldown_seconds", {"cooldown_seconds": -1}),
        ("position", {"position": -1}),
        ("colour", {"colour": "red"}),
    ],
)
async def test_a_field_that_is_off_is_named(
    shared_lone_api: Running, field: str, fields: dict[str, Any]
) -> None:
    body = {"name": "x", "reply": "y", **fields}
    answer = await shared_lone_api.call("POST", "/rules", json=body)
    assert answer.status_code == 422
    assert [each["field"] for each in answer.json()["errors"]] == [field]
    rule = await add(shared_lone_api)
    answer = await shared_lone_api.call("PATCH", f"/rules/{rule['id']}", json=fields)
    assert [each["field"] for each in answer.json()["errors"]] == [field]
    answer = await shared_lone_api.call("POST", "/rules/try", json={"rule": body})
    assert [each["field"] for each in answer.json()["errors"]] == [f"rule.{field}"]


async def test_placeholders_are_those_of_the_rules_number(api: Running) -> None:
    for number, name in (("447700900100", "colour"), ("447700900101", "size")):
        await api.send("POST", "/numbers", {"number": number, "merge_field_names": {"1": name}})
    await add(api, reply="{size} {colour}")
    await add(api, reply="{size}", dest="07700 900101")
    body = {"name": "x", "reply": "{colour}", "dest": "07700 900101"}
    assert (await api.call("POST", "/rules", json=body)).status_code == 422


async def test_who_changed_a_rule_is_kept_with_what_changed(api: Running) -> None:
    key = await api.make_key("rules:write", name="editor")
    await add(api)
    await api.send("PATCH", "/rules/rul_1", {"reply": "Closed."}, key=key["key"])
    await api.send("DELETE", "/rules/rul_1", key=key["key"])
    entries = await api.runtime.database.read(list_audit, before=None, limit=3)
    assert [(each.actor, each.action, each.subject) for each in entries] == [
        ("key:editor", "rule.remove", "1"),
        ("key:editor", "rule.change", "1"),
        ("key:LETTERBOX_API_KEY", "rule.create", "1"),
    ]
    assert entries[1].detail == {
        "name": "Hours",
        "changes": {"reply": ["We are open.", "Closed."]},
    }
    assert entries[0].detail["reply"] == "Closed."


async def test_a_key_for_messages_opens_no_rules(lone_api: Running) -> None:
    key = await lone_api.make_key("messages:read", "messages:send")
    assert (await lone_api.get("/rules", key=key["key"])).status_code == 403


async def test_a_draft_is_tried_by_those_who_may_read_the_texts(lone_api: Running) -> None:
    """Its replies quote them."""
    body = {"rule": {"name": "x", "reply": "{body}"}}
    editor = (await lone_api.make_key("rules:write"))["key"]
    both = (await lone_api.make_key("rules:write", "messages:read"))["key"]
    assert (await lone_api.call("POST", "/rules/try", json=body, key=editor)).status_code == 403
    assert (await lone_api.call("POST", "/rules/try", json=body, key=both)).status_code == 200


async def test_a_draft_is_tried_over_the_newest_texts(api: Running) -> None:
    await add(api, "Price", keyword="price", reply="Ten pounds.")
    await api.store(
        make_message(1, body="too long ago to be tried"),
        make_message(2, body="Hello"),
        make_message(3, body="price?", source="447700900002"),
        make_message(4, body="Hello", source="Bank"),
        make_message(5, body="x" * 455, source="447700900003"),
        make_message(6, body="STOP", source="447700900004"),
        make_message(7, body="Hello again", source="15550100999"),
    )
    draft = {"name": "All", "reply": "You: {body}"}
    found = await api.send("POST", "/rules/try", {"rule": draft, "limit": 6})
    assert {name: found[name] for name in ("tried", "matched", "silenced", "too_long")} == {
        "tried": 6,
        "matched": 5,
        "silenced": {"unanswerable": 1, "opt-out": 1},
        "too_long": 1,
    }
    assert found["replies"] == [
        {
            "message_id": "msg_2",
            "source": SENDER,
            "body": "You: Hello",
            "parts": 1,
            "credits": 1,
        },
        {
            "message_id": "msg_7",
            "source": "15550100999",
            "body": "You: Hello again",
            "parts": 1,
            "credits": 2,
        },
    ]
    assert [risk["reason"] for risk in found["loop_risk"]] == ["answers-itself"]
    assert len((await api.read("/rules"))["items"]) == 1


async def test_a_draft_takes_the_place_of_the_rule_with_its_id(api: Running) -> None:
    made = await add(api, "Price", keyword="price")
    await add(api, "All", reply="Hello")
    await api.store(make_message(1, body="price"), make_message(2, body="Hello"))
    draft = {"id": made["id"], "name": "Price", "keyword": "price", "reply": "{rest|none}"}
    found = await api.send("POST", "/rules/try", {"rule": draft})
    assert [reply["body"] for reply in found["replies"]] == ["none"]
    # A new one stands behind the one that answers everything, unless it says where.
    fresh = {"name": "Price", "keyword": "price", "reply": "Ten"}
    assert (await api.send("POST", "/rules/try", {"rule": fresh}))["matched"] == 0
    first = {**fresh, "position": 1}
    assert (await api.send("POST", "/rules/try", {"rule": first}))["matched"] == 1
    for unknown in ("rul_9", "nonsense"):
        gone = {**draft, "id": unknown}
        answer = await api.call("POST", "/rules/try", json={"rule": gone})
        assert [each["field"] for each in answer.json()["errors"]] == ["rule.id"]


async def test_a_rule_answers_from_the_next_text_on(api: Running) -> None:
    await api.store(make_message(1, arrived_at=NOW))
    await add(api)
    await api.store(make_message(2, arrived_at=NOW))
    outcomes = [item["outcome"]["code"] for item in (await api.read("/messages"))["items"]]
    assert outcomes == ["replied", "no-rule"]
