"""People: a card for each number that has a name or notes, and the one way to name a number."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Row, case, delete, or_, select, update

from app.domain.errors import NotFound
from app.domain.inbound.messages import make_number_key
from app.domain.keywords import fold_text
from app.storage.db.upserts import make_insert
from app.storage.db.writes import BulkWrite, Writes, make_bulk_insert
from app.storage.tables.conversations import people

# Typed by somebody, from the merge fields of their newest text, or from the provider's contacts.
NameSource = Literal["person", "merge-field", "contacts"]

# A search looks through at most so many cards for a page, and says where the next one goes on.
WALK_ROWS = 20_000
# As many numbers as one statement names.
MOST_NAMED = 1_000

_NAMES: dict[str, NameSource] = {
    "typed_name": "person",
    "merge_name": "merge-field",
    "contact_name": "contacts",
}
# The first of them that is not empty is shown.
SHOWN_NAME: ColumnElement[str] = case(
    (people.c.typed_name != "", people.c.typed_name),
    (people.c.merge_name != "", people.c.merge_name),
    else_=people.c.contact_name,
)


@dataclass(frozen=True, slots=True)
class Person:
    """`name` is "" and `name_from` None for a card that only has notes.

    `typed_name` is "" where the name comes from elsewhere.
    """

    id: int
    number: str
    name: str
    name_from: NameSource | None
    typed_name: str
    notes: str


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """`next` is the `before` of the next page; None at the end."""

    people: list[Person]
    next: int | None


@dataclass(frozen=True, slots=True)
class MergeName:
    """The name that a text brought, and when the text arrived."""

    number: str
    name: str
    arrived_at: datetime


def name_numbers(conn: Connection, numbers: Iterable[str]) -> dict[str, str]:
    """The names of those of the numbers that have one, in one query: what every page shows."""
    keys = [make_number_key(number) for number in {*numbers} if number]
    named: dict[str, str] = {}
    for start in range(0, len(keys), MOST_NAMED):
        some = people.c.number_key.in_(keys[start : start + MOST_NAMED])
        named |= dict(conn.execute(select(people.c.number, SHOWN_NAME).where(some)).all())
    return {number: name for number, name in named.items() if name}


def get_person(conn: Connection, number: str) -> Person:
    """Raises NotFound."""
    found = find_person(conn, number)
    if found is None:
        raise NotFound(f"there is no card for {number}")
    return found


def find_person(conn: Connection, number: str) -> Person | None:
    """None for a number without a card."""
    query = select(people).where(people.c.number_key == make_number_key(number))
    row = conn.execute(query).first()
    return None if row is None else _make_person(row)


def list_people(
    conn: Connection, *, words: Sequence[str] = (), before: int | None, limit: int
) -> PeoplePage:
    """Newest card first. `words` are folded; each is a part of the name or of the number.

    With them a page may be short or empty while `next` is not None.
    """
    table = people.c
    query = select(people).order_by(table.id.desc()).limit(limit + 1)
    if before is not None:
        query = query.where(table.id < before)
    bottom = _find_bottom(conn, before) if words else None
    if bottom is not None:
        query = query.where(table.id >= bottom)
    rows = conn.execute(query.where(*_contain(words))).all()
    found = [_make_person(row) for row in rows[:limit]]
    return PeoplePage(found, found[-1].id if len(rows) > limit else bottom)


def _find_bottom(conn: Connection, before: int | None) -> int | None:
    """The last card that a search looks at; None where it looks at all."""
    query = select(people.c.id).order_by(people.c.id.desc()).offset(WALK_ROWS - 1).limit(1)
    if before is not None:
        query = query.where(people.c.id < before)
    return conn.execute(query).scalar()


def look_up_people(conn: Connection, words: Sequence[str], *, limit: int) -> list[Person]:
    """Those whose name or number has every word, for whoever picks one while typing.

    Names that begin with the first word come first.
    """
    found = list_people(conn, words=words, before=None, limit=10 * limit).people
    first = words[0] if words else ""
    found.sort(key=lambda each: (not fold_text(each.name).startswith(first), fold_text(each.name)))
    return found[:limit]


def save_person(conn: Connection, number: str, *, name: str, notes: str) -> Person:
    """Write a card; "" as the name leaves the number the name that it has from elsewhere."""
    key = make_number_key(number)
    given = {"typed_name": name, "notes": notes}
    rest = {"merge_name": "", "contact_name": ""}
    statement = make_insert(conn, people).values(
        number_key=key, number=number, search_text="", **given, **rest
    )
    conn.execute(statement.on_conflict_do_update(index_elements=["number_key"], set_=given))
    saved = get_person(conn, number)
    folded = fold_text(f"{saved.name} {number}")
    conn.execute(update(people).where(people.c.id == saved.id).values(search_text=folded))
    return saved


def remove_person(conn: Connection, number: str) -> Person:
    """Remove a card with all names and notes; returns it. Raises NotFound."""
    found = get_person(conn, number)
    conn.execute(delete(people).where(people.c.id == found.id))
    return found


def note_merge_names(writes: Writes, names: Iterable[MergeName]) -> None:
    """Keep the name of each number's newest text that had one."""
    newest: dict[str, MergeName] = {}
    for each in sorted(names, key=lambda name: name.arrived_at):
        if each.number and each.name:
            newest[each.number] = each
    rows = [
        {
            "number_key": make_number_key(each.number),
            "number": each.number,
            "typed_name": "",
            "merge_name": each.name,
            "merge_named_at": each.arrived_at,
            "contact_name": "",
            "notes": "",
            "search_text": fold_text(f"{each.name} {each.number}"),
        }
        for each in newest.values()
    ]
    # Sorted, so that two workers cannot wait for each other.
    writes.add(_upsert_merge_names(), sorted(rows, key=lambda row: row["number_key"]))


@cache
def _upsert_merge_names() -> BulkWrite:
    def keep_newest(statement: Any) -> Any:
        old, new = people.c, statement.excluded
        return statement.on_conflict_do_update(
            index_elements=["number_key"],
            set_={
                "merge_name": new.merge_name,
                "merge_named_at": new.merge_named_at,
                "search_text": case((old.typed_name != "", old.search_text), else_=new.search_text),
            },
            where=or_(old.merge_named_at.is_(None), new.merge_named_at >= old.merge_named_at),
        )

    return make_bulk_insert(
        people, [each.name for each in people.c if each.name != "id"], keep_newest
    )


def note_contact_names(conn: Connection, names: Mapping[str, str]) -> None:
    """Keep the names that the provider's address book has for these numbers; "" is none."""
    keys = {make_number_key(number): number for number in names}
    known = select(people.c.number_key, people.c.contact_name).where(people.c.number_key.in_(keys))
    old = dict(conn.execute(known).all())
    changed = [(key, number) for key, number in keys.items() if old.get(key, "") != names[number]]
    rows = [
        {
            "number_key": key,
            "number": number,
            "typed_name": "",
            "merge_name": "",
            "contact_name": names[number],
            "notes": "",
            "search_text": fold_text(f"{names[number]} {number}"),
        }
        for key, number in sorted(changed)
    ]
    if not rows:
        return
    statement = make_insert(conn, people)
    has_other = or_(people.c.typed_name != "", people.c.merge_name != "")
    new = statement.excluded
    search_text = case((has_other, people.c.search_text), else_=new.search_text)
    conn.execute(
        statement.on_conflict_do_update(
            index_elements=["number_key"],
            set_={"contact_name": new.contact_name, "search_text": search_text},
        ),
        rows,
    )


def list_contact_numbers(conn: Connection, *, after: int, limit: int) -> list[tuple[int, str]]:
    """The ids and numbers of cards that have a name from the address book, by id."""
    query = select(people.c.id, people.c.number).where(
        people.c.id > after, people.c.contact_name != ""
    )
    return [tuple(row) for row in conn.execute(query.order_by(people.c.id).limit(limit))]


def _contain(words: Collection[str]) -> list[ColumnElement[bool]]:
    return [people.c.search_text.contains(word, autoescape=True) for word in words]


def _make_person(row: Row[Any]) -> Person:
    name, name_from = "", None
    for column, source in _NAMES.items():
        if getattr(row, column):
            name, name_from = getattr(row, column), source
            break
    return Person(row.id, row.number, name, name_from, row.typed_name, row.notes)
