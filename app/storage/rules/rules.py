"""The stored rules."""

from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from app.domain.errors import NotFound
from app.domain.rules.rules import Rule
from app.storage.tables.access import revisions
from app.storage.tables.rules import rules

REVISION = "rules"

_FIELDS = tuple(field.name for field in fields(Rule))
_COLUMNS = [rules.c[name] for name in _FIELDS]


def read_rules(conn: Connection) -> list[Rule]:
    """All rules, in the order in which they are tried."""
    query = select(*_COLUMNS).order_by(rules.c.position, rules.c.id)
    return [_make_rule(row) for row in conn.execute(query)]


def list_rules(conn: Connection, *, before: int | None, limit: int) -> list[Rule]:
    """Newest first."""
    query = select(*_COLUMNS).order_by(rules.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(rules.c.id < before)
    return [_make_rule(row) for row in conn.execute(query)]


def get_rule(conn: Connection, rule_id: int) -> Rule:
    """Raises NotFound."""
    row = conn.execute(select(*_COLUMNS).where(rules.c.id == rule_id)).first()
    if row is None:
        raise NotFound("no such rule")
    return _make_rule(row)


def lock_rules(conn: Connection) -> None:
    """Keep others from changing rules until this transaction ends; then all processes reread them.

    Every change of a rule begins with it, so that no two rules get the same position.
    """
    conn.execute(
        update(revisions)
        .where(revisions.c.name == REVISION)
        .values(revision=revisions.c.revision + 1)
    )


def make_room(conn: Connection, position: int, *, besides: int | None = None) -> None:
    """Move the rule at that position down by one, and those that are in its way.

    `besides` is the id of the rule that goes there. The rules must be locked.
    """
    query = select(rules.c.id, rules.c.position).where(rules.c.position >= position)
    taken = position
    for row in conn.execute(query.order_by(rules.c.position, rules.c.id)).all():
        if row.id == besides:
            continue
        if row.position > taken:
            break
        taken += 1
        conn.execute(update(rules).where(rules.c.id == row.id).values(position=taken))


def add_rule(conn: Connection, rule: Rule, *, now: datetime) -> Rule:
    """Returns it with its new id."""
    values = _list_values(rule) | {"created_at": now, "updated_at": now}
    rule_id = conn.execute(insert(rules).values(values).returning(rules.c.id)).scalar_one()
    return get_rule(conn, rule_id)


def change_rule(conn: Connection, rule: Rule, *, now: datetime) -> Rule:
    """Replace the rule that has the same id. Raises NotFound."""
    values = _list_values(rule) | {"updated_at": now}
    conn.execute(update(rules).where(rules.c.id == rule.id).values(values))
    return get_rule(conn, rule.id)


def remove_rule(conn: Connection, rule_id: int) -> None:
    """Delete a rule; its replies stay."""
    conn.execute(delete(rules).where(rules.c.id == rule_id))


def _list_values(rule: Rule) -> dict[str, Any]:
    values = {name: getattr(rule, name) for name in _FIELDS if name != "id"}
    return values | {"days": None if rule.days is None else list(rule.days)}


def _make_rule(row: Row[Any]) -> Rule:
    values = dict(row._mapping)
    return Rule(**values | {"days": None if row.days is None else tuple(row.days)})
