"""Imports contacts into the provider's address book from a CSV file, line by line."""

import csv
import io
from collections.abc import Sequence
from dataclasses import replace

from app.domain.errors import InvalidInput
from app.domain.numbers import normalise_number
from app.provider.actions import ImportedLine, NewContact
from app.provider.client import ProviderClient
from app.provider.contacts import find_contact_columns
from app.storage.conversations.contact_imports import WaitingContact

_FIXED_COLUMNS = 3
_COLUMNS = ("name", "number", "email", "groups")


def read_contacts(data: bytes, region: str) -> list[WaitingContact]:
    """The contacts of a CSV in the provider's format: name,number,email,group1,group2,…

    A heading and blank lines are skipped. `region` says how national numbers are read. What the
    provider checks itself (a missing name, an invalid number) is left to it. Raises InvalidInput
    for anything but such a CSV with at least one contact.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InvalidInput(f"line {line} is not UTF-8: save the file as UTF-8") from None
    if "\0" in text:
        raise InvalidInput("the CSV holds a NUL character, which no text can")
    # Not splitlines(): it also cuts at characters that may stand in a name.
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        rows = [(reader.line_num, row) for row in reader if row]
    except csv.Error as error:
        raise InvalidInput(f"line {reader.line_num} is no CSV: {error}") from None
    if rows and _is_heading(*rows[0]):
        del rows[0]
    contacts = [_read_row(line, row, region) for line, row in rows]
    for each in contacts:
        _check(each)
    if not contacts:
        raise InvalidInput("there is no contact to import: write name,number,email,group,…")
    return contacts


async def import_contacts(
    client: ProviderClient,
    contacts: Sequence[WaitingContact],
    *,
    ignore_duplicates: bool,
    overwrite_duplicates: bool,
) -> list[ImportedLine]:
    """Import them in one call; each result has its line in the file.

    Raises ProviderError.
    """
    results = await client.import_contacts(
        [NewContact(each.name, each.number, each.email, tuple(each.groups)) for each in contacts],
        ignore_duplicates=ignore_duplicates,
        overwrite_duplicates=overwrite_duplicates,
    )
    return [replace(each, line=contacts[each.line - 1].line) for each in results]


def _is_heading(line: int, row: Sequence[str]) -> bool:
    """Raises InvalidInput for a heading whose columns are not those of an import."""
    if len(row) == 1 and any(separator in row[0] for separator in ";\t"):
        raise InvalidInput(f"line {line} has no commas: save the file with commas between cells")
    found = find_contact_columns(row)
    if len(set(found) & set(_COLUMNS[:_FIXED_COLUMNS])) < 2:
        return False
    for place, name in enumerate(found):
        wanted = _COLUMNS[min(place, _FIXED_COLUMNS)]
        if name != wanted:
            raise InvalidInput(
                f"column {place + 1} of the heading is {row[place]!r}, where {wanted!r} belongs:"
                f" order the columns as {', '.join(_COLUMNS)}"
            )
    return True


def _read_row(line: int, row: list[str], region: str) -> WaitingContact:
    name, number, email, *groups = [cell.strip() for cell in row] + [""] * _FIXED_COLUMNS
    number = normalise_number(number, region)
    return WaitingContact(line, name, number, email, tuple(filter(None, groups)))


def _check(contact: WaitingContact) -> None:
    cells = (contact.name, contact.number, contact.email, *contact.groups)
    if any("\n" in cell or "\r" in cell for cell in cells):
        raise InvalidInput(f"line {contact.line} ends a cell with a line break in it")
