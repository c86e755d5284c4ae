"""The rules as they are kept."""

from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from app.domain.errors import NotFound
from app.domain.rules.rules import Rule
from app.storage.tables.access import revisions
from app.storage.tables.rules import rules

REVISION = "rules"

_FIELDS = tuple(field.name for field in fields(Rule))
_COLUMNS = [rules.c[name] for name in _FIELDS]


def read_rules(conn: Connection) -> list[Rule]:
    """Every rule, in the order in which they are asked."""
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
    """Let no other transaction change rules until this one ends, and all read them anew then.

    Every change of a rule begins with it, so that no two rules get one position.
    """
    conn.execute(
        update(revisions)
        .where(revisions.c.name == REVISION)
        .values(revision=revisions.c.revision + 1)
    )


def count_rules(conn: Connection) -> int:
    return conn.execute(select(func.count()).select_from(rules)).scalar_one()


def make_room(conn: Connection, position: int, *, besides: int | None = None) -> None:
    """Push down the rule at that position, and those that this pushes in turn.

    `besides` is the id of the rule that is to stand there. The rules must be locked.
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


def find_last_position(conn: Connection) -> int:
    """The highest position of all; 0 where there is no rule."""
    return conn.execute(select(func.max(rules.c.position))).scalar() or 0


def add_rule(conn: Connection, rule: Rule, *, now: datetime) -> Rule:
    """Its id is the database's to give."""
    values = _list_values(rule) | {"created_at": now, "updated_at": now}
    rule_id = conn.execute(insert(rules).values(values).returning(rules.c.id)).scalar_one()
    return get_rule(conn, rule_id)


def change_rule(conn: Connection, rule: Rule, *, now: datetime) -> Rule:
    """Put `rule` in the place of the one with its id. Raises NotFound."""
    values = _list_values(rule) | {"updated_at": now}
    conn.execute(update(rules).where(rules.c.id == rule.id).values(values))
    return get_rule(conn, rule.id)


def remove_rule(conn: Connection, rule_id: int) -> Rule:
    """What it answered stays; returns the rule that it was. Raises NotFound."""
    found = get_rule(conn, rule_id)
    conn.execute(delete(rules).where(rules.c.id == rule_id))
    return found


def _list_values(rule: Rule) -> dict[str, Any]:
    values = {name: getattr(rule, name) for name in _FIELDS if name != "id"}
    return values | {"days": None if rule.days is None else list(rule.days)}


def _make_rule(row: Row[Any]) -> Rule:
    values = dict(row._mapping)
    return Rule(**values | {"days": None if row.days is None else tuple(row.days)})
