"""Edits the rules of automatic replies: one by one, or all at once from a file.

`who` is named in the audit. A change takes effect in every process with the next batch of texts,
because it raises the revision that each batch checks.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from app.domain.errors import Conflict, InvalidInput
from app.domain.rules.answering import OurNumber
from app.domain.rules.ordering import Place, place_last
from app.domain.rules.patterns import check_cost
from app.domain.rules.replies import check_template
from app.domain.rules.rule_files import (
    MOST_RULES,
    list_changes,
    list_fields,
    name_rule,
    read_rules,
    write_rules,
)
from app.domain.rules.rules import Rule, prepare_rule
from app.flows.access.configure import accept
from app.flows.rules.answer import close_fault
from app.storage.access.audit import add_audit
from app.storage.db.database import Connection, Database
from app.storage.rules import rules
from app.storage.rules.answers import read_our_numbers

Direction = Literal["up", "down"]


@dataclass(frozen=True, slots=True)
class RuleChange:
    """What an import does to a rule; `changes` are the old and new value of each field."""

    kind: Literal["add", "change", "remove"]
    rule: Rule
    changes: Mapping[str, Sequence[Any]] = field(default_factory=dict)


async def create_rule(
    database: Database,
    draft: Rule,
    *,
    position: int | Place | None,
    region: str,
    who: str,
    now: datetime,
) -> Rule:
    """Add a rule at a position, whose rule moves down by one; after all others if it is None.

    A `Place` finds the position among the rules as they are then. Raises InvalidInput, which names
    the field, and Conflict if there are too many.
    """
    await check_costs([draft])

    def create(conn: Connection) -> Rule:
        rules.lock_rules(conn)
        others = rules.read_rules(conn)
        if len(others) >= MOST_RULES:
            raise Conflict(f"there are {MOST_RULES} rules already: remove one first")
        rule = prepare(draft, read_our_numbers(conn), region)
        at = find_position(position, others, rule)
        rules.make_room(conn, at)
        return _add(conn, replace(rule, position=at), who, now)

    return await database.write(create)


async def change_rule(
    database: Database,
    rule_id: int,
    changes: Mapping[str, Any],
    *,
    region: str,
    place: Place | None = None,
    check: Callable[[Rule], None] = accept,
    who: str,
    now: datetime,
) -> Rule:
    """Set the given fields of `Rule`; a position, or a place, as `create_rule` does.

    `check` may object to the current rule. Raises InvalidInput, which names the field, and
    NotFound.
    """
    if changes.get("pattern") is not None:
        await asyncio.to_thread(check_cost, changes["pattern"], time.thread_time)

    def change(conn: Connection) -> Rule:
        rules.lock_rules(conn)
        old = rules.get_rule(conn, rule_id)
        check(old)
        new = prepare(replace(old, **changes), read_our_numbers(conn), region, stored=old)
        if place is not None:
            others = [each for each in rules.read_rules(conn) if each.id != rule_id]
            new = replace(new, position=find_position(place, others, new))
        if new.position != old.position:
            rules.make_room(conn, new.position, besides=rule_id)
        changed = _change(conn, old, new, who, now)
        if changed != old:
            close_fault(conn, rule_id, now)
        return changed

    return await database.write(change)


async def move_rule(
    database: Database, rule_id: int, direction: Direction, *, who: str, now: datetime
) -> Rule:
    """Swap places with the rule before or after it, if there is one. Raises NotFound."""

    def move(conn: Connection) -> Rule:
        rules.lock_rules(conn)
        rule = rules.get_rule(conn, rule_id)
        ordered = rules.read_rules(conn)
        place = [each.id for each in ordered].index(rule_id)
        other = place + (-1 if direction == "up" else 1)
        if not 0 <= other < len(ordered):
            return rule
        neighbour = ordered[other]
        rules.change_rule(conn, replace(neighbour, position=rule.position), now=now)
        return _change(conn, rule, replace(rule, position=neighbour.position), who, now)

    return await database.write(move)


async def remove_rule(
    database: Database,
    rule_id: int,
    *,
    check: Callable[[Rule], None] = accept,
    who: str,
    now: datetime,
) -> None:
    """Delete a rule; `check` may object to the current one. Raises NotFound."""

    def remove(conn: Connection) -> None:
        rules.lock_rules(conn)
        old = rules.get_rule(conn, rule_id)
        check(old)
        _remove(conn, old, who, now)
        close_fault(conn, rule_id, now)

    await database.write(remove)


async def export_rules(database: Database) -> str:
    """All rules as YAML, in the order in which they are tried."""
    return write_rules(await database.read(rules.read_rules))


async def plan_import(
    database: Database, text: str, *, timezone: str, region: str
) -> list[RuleChange]:
    """What `import_rules` would do, in the file's order, then what it would remove.

    `timezone` applies to rules that name none. Raises InvalidInput, which names the rule and its
    field.
    """
    drafts = read_rules(text, timezone=timezone)
    await check_costs(drafts, named=True)
    return await database.read(_plan, drafts, region)


async def import_rules(
    database: Database, text: str, *, timezone: str, region: str, who: str, now: datetime
) -> list[RuleChange]:
    """Make the rules those of the file; nothing changes if any of them is invalid.

    A rule of the same name is changed and keeps its id; rules that are not in the file are deleted.
    Raises InvalidInput, which names the rule and its field.
    """
    drafts = read_rules(text, timezone=timezone)
    await check_costs(drafts, named=True)

    def replace_all(conn: Connection) -> list[RuleChange]:
        rules.lock_rules(conn)
        plan = _plan(conn, drafts, region)
        old = {rule.id: rule for rule in rules.read_rules(conn)}
        for step in plan:
            if step.kind == "add":
                _add(conn, step.rule, who, now)
            elif step.kind == "change":
                _change(conn, old[step.rule.id], step.rule, who, now)
            else:
                _remove(conn, step.rule, who, now)
        for step in plan:
            close_fault(conn, step.rule.id, now)
        return plan

    return await database.write(replace_all)


def find_position(position: int | Place | None, others: Sequence[Rule], rule: Rule) -> int:
    """A position as it is given, or found among the other rules; None is behind them."""
    if isinstance(position, int):
        return position
    return (position or place_last)(others, rule)


async def check_costs(drafts: Sequence[Rule], *, named: bool = False) -> None:
    """Raises InvalidInput for a pattern that takes too long; `named` says in which rule of many."""
    for place, draft in enumerate(drafts, start=1):
        if draft.pattern is None:
            continue
        try:
            # In a thread and outside any transaction, so that it blocks nobody.
            await asyncio.to_thread(check_cost, draft.pattern, time.thread_time)
        except InvalidInput as error:
            raise name_rule(error, place, draft.name) if named else error from None


def prepare(
    draft: Rule, ours: Mapping[str, OurNumber], region: str, *, stored: Rule | None = None
) -> Rule:
    """The rule in stored form, with its placeholders checked for its number.

    Raises InvalidInput, which names the field.
    """
    names = [name for number in ours.values() for name in number.merge_field_names.values()]
    rule = prepare_rule(draft, region=region, own_names=names, stored=stored)
    if rule.dest is not None:
        number = ours.get(rule.dest)
        check_template(rule.reply, number.merge_field_names.values() if number else ())
    return rule


def _plan(conn: Connection, drafts: Sequence[Rule], region: str) -> list[RuleChange]:
    ours = read_our_numbers(conn)
    left = rules.read_rules(conn)
    plan = []
    position = 0
    for place, draft in enumerate(drafts, start=1):
        try:
            rule = prepare(draft, ours, region)
        except InvalidInput as error:
            raise name_rule(error, place, draft.name) from None
        old = next((each for each in left if each.name == rule.name), None)
        # Positions stay as far as the order allows, so that a plan shows what matters.
        keeps = old is not None and old.position > position
        position = old.position if old is not None and keeps else position + 1
        if old is None:
            plan.append(RuleChange("add", replace(rule, position=position)))
            continue
        left.remove(old)
        rule = replace(rule, id=old.id, position=position)
        changes = list_changes(old, rule)
        if changes:
            plan.append(RuleChange("change", rule, changes))
    return plan + [RuleChange("remove", rule) for rule in left]


def _add(conn: Connection, rule: Rule, who: str, now: datetime) -> Rule:
    added = rules.add_rule(conn, rule, now=now)
    add_audit(conn, who, "rule.create", str(added.id), list_fields(added), now)
    return added


def _change(conn: Connection, old: Rule, new: Rule, who: str, now: datetime) -> Rule:
    changes = list_changes(old, new)
    if not changes:
        return old
    changed = rules.change_rule(conn, new, now=now)
    detail = {"name": old.name, "changes": changes}
    add_audit(conn, who, "rule.change", str(old.id), detail, now)
    return changed


def _remove(conn: Connection, rule: Rule, who: str, now: datetime) -> None:
    rules.remove_rule(conn, rule.id)
    add_audit(conn, who, "rule.remove", str(rule.id), list_fields(rule), now)
