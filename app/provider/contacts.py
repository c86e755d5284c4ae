"""Reads the provider's address book, by its headings if there are any."""

from collections.abc import Sequence

from app.provider.actions import AddressBook, Contact, Group
from app.provider.tables import find_columns, normalise_heading, read_rows
from app.provider.wire import refuse_code

CONTACT_SYNONYMS = {
    "name": ("name", "contactname", "fullname", "contact"),
    "number": ("number", "contactnumber", "mobilenumber", "mobile", "phone", "telephone", "msisdn"),
    "email": ("email", "emailaddress"),
}
GROUP_SYNONYMS = {"name": ("name", "groupname", "group")}
# A contact's groups may stand in one column or in several.
_GROUPS = ("group", "groups", "groupname", "groupnames")


def read_contacts(text: str) -> AddressBook[Contact]:
    """Contacts, by heading. A first row that names a name and a number is the headings.

    Without headings no field has a name, because the columns are not documented.
    """
    refuse_code(text)
    rows = read_rows(text.encode())
    columns = find_columns(rows[0], CONTACT_SYNONYMS) if rows else {}
    if "name" not in columns or "number" not in columns:
        return AddressBook(None, tuple(Contact(None, None, None, (), tuple(row)) for row in rows))
    headings = tuple(rows[0])
    named = find_contact_columns(headings)
    group_places = [place for place, name in enumerate(named) if name == "groups"]
    contacts = tuple(
        Contact(
            _pick(row, columns.get("name")),
            _pick(row, columns.get("number")),
            _pick(row, columns.get("email")),
            tuple(filter(None, (_pick(row, place) for place in group_places))),
            tuple(row),
        )
        for row in rows[1:]
    )
    return AddressBook(headings, contacts)


def find_contact_columns(headings: Sequence[str]) -> list[str | None]:
    """What each column holds (name, number, email or groups); None if that is unknown."""
    columns = {place: name for name, place in find_columns(headings, CONTACT_SYNONYMS).items()}
    for place, heading in enumerate(map(normalise_heading, headings)):
        if heading.rstrip("0123456789") in _GROUPS:
            columns.setdefault(place, "groups")
    return [columns.get(place) for place in range(len(headings))]


def read_groups(text: str) -> AddressBook[Group]:
    """Groups, by heading. Without one, a row of one field can only be the name."""
    refuse_code(text)
    rows = read_rows(text.encode())
    place = find_columns(rows[0], GROUP_SYNONYMS).get("name") if rows else None
    if place is None:
        return AddressBook(
            None, tuple(Group(row[0] if len(row) == 1 else None, tuple(row)) for row in rows)
        )
    return AddressBook(
        tuple(rows[0]), tuple(Group(_pick(row, place), tuple(row)) for row in rows[1:])
    )


def _pick(row: Sequence[str], place: int | None) -> str | None:
    """None if there is no such column, "" if the row is short."""
    if place is None:
        return None
    return row[place] if place < len(row) else ""
