"""Names of numbers: where they come from, which of them is shown, and finding people by them."""

from datetime import timedelta

import pytest

from app.domain.inbound.queries import fold_words
from app.storage.conversations import people
from app.storage.conversations.people import MergeName, Person
from app.storage.db.database import Connection, Database
from app.storage.db.writes import Writes
from tests.conftest import NOW

ADA, GRACE = "447700900001", "447700900002"
MINUTE = timedelta(minutes=1)


def bring_names(conn: Connection, *names: MergeName) -> None:
    writes = Writes()
    people.note_merge_names(writes, names)
    writes.run(conn)


async def test_the_name_is_that_of_the_newest_text_with_one(database: Database) -> None:
    newest, older = MergeName(ADA, "Ada", NOW + MINUTE), MergeName(ADA, "Augusta", NOW)
    nobody = MergeName("", "Nobody", NOW)
    await database.write(bring_names, newest, older, MergeName(GRACE, "", NOW), nobody)
    await database.write(bring_names, older)
    assert await database.read(people.name_numbers, [ADA, GRACE, ""]) == {ADA: "Ada"}


async def test_a_typed_name_wins_over_a_merge_field_which_wins_over_a_contact(
    database: Database,
) -> None:
    async def read() -> tuple[str, str | None]:
        found = await database.read(people.get_person, ADA)
        [listed] = (await database.read(people.list_people, before=None, limit=5)).people
        assert found == listed
        # The search finds the name that is shown.
        words = fold_words(found.name)
        searched = await database.read(people.list_people, words=words, before=None, limit=5)
        assert searched.people == [found]
        return found.name, found.name_from

    await database.write(people.note_contact_names, {ADA: "Lovelace, Ada"})
    assert await read() == ("Lovelace, Ada", "contacts")
    await database.write(bring_names, MergeName(ADA, "Ada L.", NOW))
    assert await read() == ("Ada L.", "merge-field")
    await database.write(people.note_contact_names, {ADA: "Ada Byron"})
    assert await read() == ("Ada L.", "merge-field")
    await database.write(people.save_person, ADA, name="Ada", notes="")
    await database.write(bring_names, MergeName(ADA, "Ada K.", NOW + MINUTE))
    assert await read() == ("Ada", "person")
    await database.write(people.save_person, ADA, name="", notes="Notes stay")
    assert await read() == ("Ada K.", "merge-field")


async def test_a_contact_that_is_gone_takes_only_its_own_name_along(database: Database) -> None:
    await database.write(people.note_contact_names, {ADA: "Ada", GRACE: ""})
    await database.write(people.note_contact_names, {ADA: ""})
    found = await database.read(people.list_people, before=None, limit=5)
    assert [(each.number, each.name, each.name_from) for each in found.people] == [(ADA, "", None)]


async def test_a_search_looks_at_a_bounded_number_and_says_where_it_goes_on(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "WALK_ROWS", 3)
    for number in range(7):
        name = "Ada" if number in {0, 1} else "Grace"
        await database.write(people.save_person, f"44770090000{number}", name=name, notes="")
    found: list[Person] = []
    sizes: list[int] = []
    place = None
    while not sizes or place:
        page = await database.read(people.list_people, words=("ada",), before=place, limit=5)
        found, place = [*found, *page.people], page.next
        sizes.append(len(page.people))
    assert [each.number[-1] for each in found] == ["1", "0"]
    assert sizes == [0, 1, 1]


async def test_names_that_begin_with_what_is_typed_come_first(database: Database) -> None:
    for number, name in enumerate(("Wanda", "Ada", "Adam", "Bob")):
        await database.write(people.save_person, f"44770090000{number}", name=name, notes="")
    found = await database.read(people.look_up_people, ("ada",), limit=5)
    assert [each.name for each in found] == ["Ada", "Adam"]
    found = await database.read(people.look_up_people, ("a",), limit=3)
    assert [each.name for each in found] == ["Ada", "Adam", "Wanda"]
