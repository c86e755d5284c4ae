"""What a process keeps of rules and numbers from batch to batch, while others change them."""

from typing import Any

from app.domain.rules import Rule
from app.flows import configure, edit_rules
from app.flows.answer import RuleBook
from app.flows.handle import handle_batch
from app.storage.database import Database
from tests.conftest import NOW
from tests.flows.desk import SHOP, Desk

WHO = "cli:test"
BY: dict[str, Any] = {"region": "GB", "who": WHO, "now": NOW}


async def test_each_change_is_seen_with_the_next_batch(database: Database) -> None:
    desk, book = Desk(database), RuleBook()

    async def create(name: str, reply: str) -> Rule:
        draft = Rule(name=name, timezone="UTC", reply=reply)
        return await edit_rules.create_rule(database, draft, position=None, **BY)

    async def hear() -> str | None:
        """What is answered to somebody new."""
        source = f"4477009000{desk.count:02}"
        await desk.receive("Hello", source=source, merge_fields={"1": "Bath"})
        await database.write(handle_batch, NOW, book=book)
        bodies = {row.to_number: row.body for row in await desk.list_outbound()}
        return bodies.get(source)

    assert await hear() is None
    first = await create("first", "One")
    assert await hear() == "One"
    await edit_rules.change_rule(database, first.id, {"reply": "Two"}, **BY)
    assert await hear() == "Two"
    second = await create("second", "Three")
    assert await hear() == "Two"
    await edit_rules.move_rule(database, second.id, "up", who=WHO, now=NOW)
    assert await hear() == "Three"
    await edit_rules.remove_rule(database, second.id, who=WHO, now=NOW)
    assert await hear() == "Two"
    await desk.add_number(merge_field_names={"1": "town"})
    file = "- {name: first, dest: '447700900100', reply: 'Four {town}'}\n"
    await edit_rules.import_rules(database, file, timezone="UTC", **BY)
    assert await hear() == "Four Bath"
    await configure.change_number(
        database, SHOP, {"opt_out_reply": "You are out."}, who=WHO, now=NOW
    )
    await hear()
    assert book.numbers[SHOP].opt_out_reply == "You are out."
    await configure.remove_number(database, SHOP, who=WHO, now=NOW)
    await hear()
    assert SHOP not in book.numbers


async def test_rules_are_read_once_where_nothing_changes(database: Database) -> None:
    desk, book = Desk(database), RuleBook()
    await desk.add_rule()
    kept = []
    for _ in range(3):
        await desk.receive("Hello")
        await desk.database.write(handle_batch, NOW, book=book)
        kept.append(book.rules)
    assert kept[0] is kept[1] is kept[2]
