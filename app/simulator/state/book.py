"""The address book: contacts, groups and distribution lists of each account."""

from collections.abc import Iterable
from dataclasses import dataclass

from app.simulator.state.config import ListConfig


@dataclass(slots=True)
class Contact:
    """A contact; the number is digits with a country code."""

    name: str
    number: str
    email: str


class AddressBook:
    """One account's contacts, in the order they were added, and its groups."""

    def __init__(self) -> None:
        self.contacts: list[Contact] = []
        self.groups: dict[str, list[Contact]] = {}

    def by_name(self, name: str) -> Contact | None:
        return next((one for one in self.contacts if one.name == name), None)

    def by_number(self, number: str) -> Contact | None:
        return next((one for one in self.contacts if one.number == number), None)

    def put_in_group(self, contact: Contact, group: str, may_create: bool) -> bool:
        """Add a contact to a group; False if the group is unknown and may not be created."""
        if group not in self.groups and not may_create:
            return False
        members = self.groups.setdefault(group, [])
        if contact not in members:
            members.append(contact)
        return True

    def groups_of(self, contact: Contact) -> list[str]:
        return [name for name, members in self.groups.items() if contact in members]

    def clear_contacts(self) -> None:
        self.contacts.clear()
        for members in self.groups.values():
            members.clear()


class AddressBooks:
    """Every account's address book, and the lists, which no call can create."""

    def __init__(self, lists: Iterable[ListConfig]) -> None:
        self._books: dict[str, AddressBook] = {}
        self.lists = {(one.username, one.name): one for one in lists}

    def of(self, username: str) -> AddressBook:
        return self._books.setdefault(username, AddressBook())
