"""Rules that are created, moved, imported and removed, whoever does it at the same time."""

import asyncio

import pytest

from app.domain.errors import Conflict, InvalidInput, NotFound
from app.domain.rules.rules import Rule
from app.flows.rules import edit_rules
from app.storage.access.audit import list_audit
from app.storage.db.database import Database
from app.storage.operations.alerts import list_alerts
from app.storage.rules.rules import read_rules
from tests.conftest import NOW
from tests.flows.desk import Desk

WHO = "cli:test"


async def create(database: Database, name: str = "a", position: int | None = None) -> Rule:
    draft = Rule(name=name, timezone="UTC", reply="Hello")
    return await edit_rules.create_rule(
        database, draft, position=position, region="GB", who=WHO, now=NOW
    )


async def import_file(database: Database, text: str) -> list[tuple[str, str]]:
    done = await edit_rules.import_rules(
        database, text, timezone="UTC", region="GB", who=WHO, now=NOW
    )
    return [(step.kind, step.rule.name) for step in done]


async def list_order(database: Database) -> list[tuple[str, int]]:
    return [(rule.name, rule.position) for rule in await database.read(read_rules)]


async def test_a_rule_changes_places_with_its_neighbour(database: Database) -> None:
    for name in "abc":
        await create(database, name)
    for rule_id, direction, order in (
        (3, "up", "acb"),
        (3, "up", "cab"),
        (3, "up", "cab"),
        (1, "down", "cba"),
        (1, "down", "cba"),
    ):
        await edit_rules.move_rule(database, rule_id, direction, who=WHO, now=NOW)  # type: ignore[arg-type]
        assert "".join(name for name, _ in await list_order(database)) == order
    with pytest.raises(NotFound):
        await edit_rules.move_rule(database, 9, "up", who=WHO, now=NOW)


async def test_of_many_who_take_one_position_each_gets_its_own(database: Database) -> None:
    await asyncio.gather(*(create(database, str(number), 1) for number in range(8)))
    await asyncio.gather(*(create(database, str(number)) for number in range(8, 12)))
    assert [position for _, position in await list_order(database)] == list(range(1, 13))


async def test_an_import_is_all_or_nothing(database: Database) -> None:
    await import_file(database, "- {name: a, reply: x}\n- {name: b, reply: x}")
    with pytest.raises(InvalidInput) as caught:
        await import_file(database, "- {name: c, reply: x}\n- {name: d, reply: '{nmae}'}")
    assert caught.value.field == "reply"
    assert await list_order(database) == [("a", 1), ("b", 2)]
    assert len(await database.read(list_audit, before=None, limit=9)) == 2


async def test_an_import_changes_by_name_and_keeps_ids(database: Database) -> None:
    for name, position in (("a", 5), ("b", 10), ("c", 20)):
        await create(database, name, position)
    rules = "- {name: a, reply: Hello}\n- {name: new, reply: x}\n- {name: c, reply: y}"
    assert await import_file(database, rules) == [("add", "new"), ("change", "c"), ("remove", "b")]
    assert [(rule.id, rule.name, rule.position) for rule in await database.read(read_rules)] == [
        (1, "a", 5),
        (4, "new", 6),
        (3, "c", 20),
    ]
    assert await import_file(database, await edit_rules.export_rules(database)) == []
    entries = await database.read(list_audit, before=None, limit=3)
    assert [(each.actor, each.action, each.subject) for each in entries] == [
        (WHO, "rule.remove", "2"),
        (WHO, "rule.change", "3"),
        (WHO, "rule.create", "4"),
    ]
    assert entries[1].detail == {"name": "c", "changes": {"reply": ["Hello", "y"]}}


async def test_rules_of_one_name_are_matched_in_their_order(database: Database) -> None:
    await import_file(database, "- {name: a, reply: one}\n- {name: a, reply: two}")
    assert await import_file(database, "- {name: a, reply: one}") == [("remove", "a")]
    assert [rule.reply for rule in await database.read(read_rules)] == ["one"]


async def test_a_rule_that_is_put_right_ends_its_alert(database: Database) -> None:
    desk = Desk(database)
    rule = await create(database)
    long = {"reply": "You wrote: {body}"}
    await edit_rules.change_rule(database, rule.id, long, region="GB", who=WHO, now=NOW)
    await desk.hear("x" * 459)
    assert len(await database.read(list_alerts, before=None, limit=5, is_open=True)) == 1
    short = {"reply": "Thanks"}
    await edit_rules.change_rule(database, rule.id, short, region="GB", who=WHO, now=NOW)
    assert await database.read(list_alerts, before=None, limit=5, is_open=True) == []


async def test_there_is_an_end_to_rules(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edit_rules, "MOST_RULES", 1)
    await create(database)
    with pytest.raises(Conflict):
        await create(database)
