"""Keeps the names of the provider's address book, and writes one contact into it."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from app.domain.batches import cut
from app.domain.errors import InvalidInput
from app.domain.numbers import normalise_number
from app.flows.access.note_action import note_action
from app.provider.actions import AddressBook, Contact, NewContact
from app.provider.client import ProviderClient
from app.storage.conversations import people
from app.storage.conversations.erasing import leave_erased
from app.storage.db.database import Database

# On SQLite a transaction has at most so many rows, because texts that come in wait for it.
STEP_ROWS = 100
GOOD_RESULTS = frozenset({"success", "partial"})


async def keep_contact_names(database: Database, book: AddressBook[Contact], region: str) -> None:
    """Keep what the whole address book calls each number, and forget the names that are gone.

    Only changes are written. A book without headings names nobody.
    """
    if book.headings is None:
        return
    names = {
        normalise_number(each.number, region): each.name.strip()
        for each in book.rows
        if each.number and each.name
    }
    for some in cut(list(names), STEP_ROWS):
        asked = {number: names[number] for number in some}
        await _write(database, await database.read(leave_erased, asked))
    after = 0
    while rows := await database.read(people.list_contact_numbers, after=after, limit=STEP_ROWS):
        gone = {number: "" for _, number in rows if number not in names}
        if gone:
            await database.write(people.note_contact_names, gone)
        after = rows[-1][0]


async def save_contact(
    database: Database,
    client: ProviderClient,
    number: str,
    name: str,
    *,
    who: str,
    now: datetime,
) -> None:
    """Add a contact to the provider's address book, or rename the one with this number.

    Raises InvalidInput where the provider refuses it, and ProviderError.
    """
    if not name or "\n" in name:
        raise InvalidInput("write a name first", field="name", code="too-short")
    found = await _find_contact(client, number)
    kept = (found.email or "", found.groups) if found else ("", ())
    [result] = await client.import_contacts(
        [NewContact(name, number, *kept)], ignore_duplicates=False, overwrite_duplicates=True
    )
    if result.result.lower() not in GOOD_RESULTS:
        raise InvalidInput(f"the provider answers {result.result}: {result.detail}", field="name")
    await note_action(database, "contact.save", number, who=who, now=now)
    await _write(database, {number: name})


async def _find_contact(client: ProviderClient, number: str) -> Contact | None:
    """The contact with a number, whose address and groups an import would overwrite."""
    book = await client.get_all_contacts()
    return next((each for each in book.rows if (each.number or "").lstrip("+") == number), None)


async def _write(database: Database, names: Mapping[str, str]) -> None:
    numbers: Sequence[str] = [each for each in names if each]
    for some in cut(numbers, STEP_ROWS):
        await database.write(people.note_contact_names, {number: names[number] for number in some})
