"""The actions on the address book, but for the import: reading, emptying, deleting."""

import csv
import io
from collections.abc import Iterable

from app.simulator.actions.calls import Answer, Call
from app.simulator.actions.codes import RefusedError
from app.simulator.state.book import AddressBook


def get_all_contacts(call: Call) -> Answer:
    book = _book(call)
    rows = (
        (one.name, one.number, one.email, ",".join(book.groups_of(one))) for one in book.contacts
    )
    return _table(call, ("Name", "Number", "Email", "Groups"), rows)


def get_all_groups(call: Call) -> Answer:
    """The action GetAllGroups. Its columns are unknown: the name and how many are in it."""
    groups = _book(call).groups
    rows = ((name, str(len(members))) for name, members in groups.items())
    return _table(call, ("Group", "Contacts"), rows)


def delete_all_contacts(call: Call) -> Answer:
    _book(call).clear_contacts()
    return Answer("1")


def delete_all_groups(call: Call) -> Answer:
    _book(call).groups.clear()
    return Answer("1")


def empty_group(call: Call) -> Answer:
    _book(call).groups[_group_name(call)].clear()
    return Answer("1")


def delete_group(call: Call) -> Answer:
    del _book(call).groups[_group_name(call)]
    return Answer("1")


def _book(call: Call) -> AddressBook:
    return call.world.books.of(call.account.username)


def _group_name(call: Call) -> str:
    name = call.required("Group")
    if name not in _book(call).groups:
        raise RefusedError(-520)
    return name


def _table(call: Call, headings: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Answer:
    content = io.StringIO()
    writer = csv.writer(content, quoting=csv.QUOTE_ALL, lineterminator="\n")
    if call.switches.contacts_header:
        rename = call.switches.rename_headings
        writer.writerow([rename.get(heading, heading) for heading in headings])
    writer.writerows(rows)
    return Answer(content.getvalue(), one_line=False)
