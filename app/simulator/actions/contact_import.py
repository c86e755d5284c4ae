"""The action ImportContactsCSV: a result for each line, and the details of what went wrong."""

import csv
from dataclasses import dataclass

from app.simulator.actions.calls import Answer, Call
from app.simulator.actions.codes import RefusedError
from app.simulator.actions.magic import magic_code
from app.simulator.actions.phones import read_destination
from app.simulator.state.book import AddressBook, Contact

_COLUMNS = 3


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    number: str
    email: str
    groups: tuple[str, ...]


def import_contacts(call: Call) -> Answer:
    """Import each line separately: a bad one does not affect the others."""
    content = call.text("ContactsCSV")
    if not content.strip():
        raise RefusedError(-507)
    lines = content.replace("\r\n", "\n").removesuffix("\n").split("\n")
    results: list[str] = []
    details: list[str] = []
    for position, line in enumerate(lines, start=1):
        result, detail = _import_line(call, line)
        results.append(f"{position} : {result}")
        if detail:
            details.append(f"{position} : {detail}")
    if details:
        results += ["", *details]
    return Answer("\n".join(results) + "\n", one_line=False)


def _import_line(call: Call, line: str) -> tuple[str, str]:
    """The result of one line, and its detail or ""."""
    row = _read_row(line)
    if not row.name:
        return "Failed", "No name"
    if call.switches.magic_numbers and (code := magic_code(row.number)):
        raise RefusedError(code)
    number = read_destination(row.number, call.switches.national_numbers)
    if number is None:
        return "Failed", f"Invalid number ({row.number})"
    book = call.world.books.of(call.account.username)
    contact = _settle_duplicate(call, book, row, number)
    if isinstance(contact, str):
        return contact, ""
    may_create = call.switches.import_creates_groups
    refused = [name for name in row.groups if not book.put_in_group(contact, name, may_create)]
    if refused:
        return "Partial", f"Unknown group ({', '.join(refused)})"
    return "Success", ""


def _settle_duplicate(call: Call, book: AddressBook, row: _Row, number: str) -> Contact | str:
    """The contact that the line creates or overwrites, or the result that refuses it."""
    same_number = book.by_number(number)
    if call.is_set("OverwriteDupes"):
        if same_number is not None:
            same_number.name, same_number.email = row.name, row.email
            return same_number
    elif not call.is_set("IgnoreDupes"):
        if book.by_name(row.name) is not None:
            return "Duplicate Name"
        if same_number is not None:
            return "Duplicate Number"
    contact = Contact(row.name, number, row.email)
    book.contacts.append(contact)
    return contact


def _read_row(line: str) -> _Row:
    fields = [field.strip() for field in next(csv.reader([line]), [])]
    fields += [""] * (_COLUMNS - len(fields))
    groups = tuple(group for group in fields[_COLUMNS:] if group)
    return _Row(fields[0], fields[1], fields[2], groups)
