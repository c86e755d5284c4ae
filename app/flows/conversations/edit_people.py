"""Edits the cards of people: what a number is called, and notes about them."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from app.domain.errors import InvalidInput
from app.domain.inbound.messages import make_number_key
from app.domain.lengths import LONGEST_NAME, check_length
from app.flows.access.configure import accept
from app.storage.access.audit import add_audit
from app.storage.conversations import people
from app.storage.conversations.conversations import list_ids_of_number
from app.storage.conversations.people import Person
from app.storage.db.database import Connection, Database
from app.storage.operations.events import add_events

LONGEST_NOTES = 5_000
# As long as a sender's name or number can be in a path.
LONGEST_NUMBER = 200

CheckPerson = Callable[[Person | None], None]


async def save_person(
    database: Database,
    number: str,
    *,
    name: str | None = None,
    notes: str | None = None,
    check: CheckPerson = accept,
    who: str,
    now: datetime,
) -> Person:
    """Write the card of a number, given as it is stored; None keeps what the card has.

    A name that is typed wins over that of a merge field or contact; "" lets one of those show.
    `check` may object to the card before, None where there is none. Raises InvalidInput.
    """
    if name is not None:
        name = " ".join(name.split())
    check_length("name", name, LONGEST_NAME)
    check_length("notes", notes, LONGEST_NOTES)
    check_length("number", number, LONGEST_NUMBER, least=1)

    def save(conn: Connection) -> Person:
        old = people.find_person(conn, number)
        check(old)
        new_name = (old.typed_name if old else "") if name is None else name
        new_notes = (old.notes if old else "") if notes is None else notes.strip()
        if old is None and not new_name and not new_notes:
            raise InvalidInput("write a name or notes", field="name", code="too-short")
        saved = people.save_person(conn, number, name=new_name, notes=new_notes)
        changed = _list_changed(old, saved)
        if changed:
            add_audit(conn, who, "person.change", number, {"changed": changed}, now)
            _tell_pages(conn, number, now)
        return saved

    return await database.write(save)


async def remove_person(
    database: Database,
    number: str,
    *,
    check: Callable[[Person], None] = accept,
    who: str,
    now: datetime,
) -> None:
    """Remove a card with its name and notes. Raises NotFound."""

    def remove(conn: Connection) -> None:
        check(people.get_person(conn, number))
        people.remove_person(conn, number)
        add_audit(conn, who, "person.remove", number, {}, now)
        _tell_pages(conn, number, now)

    await database.write(remove)


def _list_changed(old: Person | None, new: Person) -> list[str]:
    before: dict[str, Any] = {"typed_name": "", "notes": ""}
    if old is not None:
        before = {"typed_name": old.typed_name, "notes": old.notes}
    names = {"typed_name": "name", "notes": "notes"}
    return [shown for name, shown in names.items() if getattr(new, name) != before[name]]


def _tell_pages(conn: Connection, number: str, now: datetime) -> None:
    """Open pages of the number's conversations show the change."""
    ids = list_ids_of_number(conn, make_number_key(number))
    add_events(conn, [("conversation", each) for each in ids], now)
