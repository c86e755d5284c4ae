"""Drafts: one for each person and place, who else writes there, and how long they are kept."""

from datetime import timedelta

from app.storage.conversations.drafts import (
    KEPT,
    forget_old_drafts,
    get_draft,
    list_writers,
    remove_draft,
    save_draft,
)
from app.storage.db.database import Database
from tests.conftest import NOW

ADA, GRACE = "member:1", "member:2"
LATER = NOW + timedelta(seconds=10)


async def test_a_draft_is_one_persons_in_one_place(database: Database) -> None:
    assert await database.write(save_draft, 1, ADA, {"body": "First"}, NOW) is None
    assert await database.write(save_draft, 1, ADA, {"body": "Second"}, LATER) == NOW
    await database.write(save_draft, 2, ADA, {"body": "Elsewhere"}, NOW)
    await database.write(save_draft, 1, GRACE, {"body": "Mine"}, NOW)
    assert await database.read(get_draft, 1, ADA) == {"body": "Second"}
    assert await database.read(get_draft, 1, GRACE) == {"body": "Mine"}
    assert await database.write(remove_draft, 1, ADA)
    assert not await database.write(remove_draft, 1, ADA)
    assert await database.read(get_draft, 1, ADA) == {}
    assert await database.read(get_draft, 2, ADA) == {"body": "Elsewhere"}


async def test_others_write_whose_draft_was_saved_lately(database: Database) -> None:
    await database.write(save_draft, 1, ADA, {"body": "x"}, LATER)
    await database.write(save_draft, 1, GRACE, {"body": "x"}, LATER)
    await database.write(save_draft, 1, "member:3", {"body": "x"}, NOW)
    await database.write(save_draft, 2, "member:4", {"body": "x"}, LATER)
    assert await database.read(list_writers, 1, besides=ADA, since=NOW) == [GRACE]


async def test_drafts_that_nobody_touches_are_deleted_in_steps(database: Database) -> None:
    for place in range(1, 4):
        await database.write(save_draft, place, ADA, {"body": "x"}, NOW)
    await database.write(save_draft, 4, ADA, {"body": "x"}, NOW + KEPT)
    counts = [await database.write(forget_old_drafts, NOW + KEPT, limit=2) for _ in range(3)]
    assert counts == [2, 1, 0]
    assert await database.read(get_draft, 4, ADA) == {"body": "x"}
