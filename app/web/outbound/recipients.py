"""Whom to write to: people, lists and groups found by a part of their name."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from app.domain.inbound.queries import fold_words
from app.domain.keywords import fold_text
from app.domain.provider_errors import ProviderError
from app.storage.conversations.people import Person, look_up_people
from app.storage.db.database import Connection
from app.storage.outbound.named import list_named
from app.web.core.forms.form import Form
from app.web.core.site import Visit

MOST_FOUND = 10
# Whoever types waits for the provider's groups no longer.
GROUPS_SECONDS = 2.0
# The buttons that put somebody into the form, and the kind that each makes it.
ADD_PERSON, ADD_LIST, ADD_GROUP = "add", "add_list", "add_group"


@dataclass(frozen=True, slots=True)
class Recipients:
    """The people, and the names of the lists and groups, that a search has found."""

    people: Sequence[Person]
    lists: Sequence[str]
    groups: Sequence[str]


async def find_recipients(visit: Visit, q: str) -> Recipients:
    """Lists are known from earlier texts only: the provider names none of them."""
    words = fold_words(q)

    def read(conn: Connection) -> tuple[list[Person], list[str], list[str]]:
        return look_up_people(conn, words, limit=MOST_FOUND), *list_named(conn)

    people, lists, groups = await visit.database.read(read)
    groups += await _list_groups(visit)
    return Recipients(people, _choose(lists, words), _choose(groups, words))


def add_recipient(form: Form) -> bool:
    """Put into the form whom a button names; returns whether one was pressed."""
    if form.has(ADD_PERSON):
        written, number = form.text("to"), form.text(ADD_PERSON)
        if number not in written.replace(",", " ").split():
            form.replace("to", f"{written}\n{number}".strip())
        form.replace("kind", "to")
        return True
    for kind, button in (("list", ADD_LIST), ("group", ADD_GROUP)):
        if form.has(button):
            form.replace(kind, form.text(button))
            form.replace("kind", kind)
            return True
    return False


async def _list_groups(visit: Visit) -> list[str]:
    """The names of the provider's groups; none while it does not answer."""
    provider = visit.site.runtime.provider
    if provider is None:
        return []
    try:
        async with asyncio.timeout(GROUPS_SECONDS):
            book = await provider.get_all_groups()
    except (ProviderError, TimeoutError):
        return []
    return [row.name for row in book.rows if row.name]


def _choose(names: Sequence[str], words: Sequence[str]) -> list[str]:
    found = [
        name for name in dict.fromkeys(names) if all(word in fold_text(name) for word in words)
    ]
    return found[:MOST_FOUND]
