"""Numbers with auth values, and keys: what is made, kept as a digest, and ends."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from app.domain.access.credentials import digest_secret
from app.domain.errors import Conflict, InvalidInput, NotFound
from app.flows.access import configure
from app.storage.access.keys import find_key, get_key
from app.storage.access.numbers import get_number, note_auths_seen, read_admission
from app.storage.db.database import Database
from tests.conftest import NOW

NUMBER = "447700900100"
WHO = "cli:test"


def make_secrets() -> Callable[[], str]:
    """first, second, … in place of random ones."""
    names = iter(("first", "second", "third", "fourth"))
    return lambda: next(names)


async def test_a_value_admits_forwards_to_its_number_and_is_kept_as_a_digest(
    database: Database,
) -> None:
    before = await database.read(read_admission)
    made = await configure.add_number(
        database, "07700 900100", region="GB", who=WHO, now=NOW, make_secret=make_secrets()
    )
    assert (made.value, made.number.number) == ("first", NUMBER)
    assert "first" not in repr(made)
    admission = await database.read(read_admission)
    assert admission.revision > before.revision
    assert admission.recognise(b"first", NOW) is not None
    assert set(admission.values) == {digest_secret("first")}


async def test_of_two_who_add_a_number_at_once_one_is_told(database: Database) -> None:
    adding = [
        configure.add_number(database, NUMBER, region="GB", who=WHO, now=NOW) for _ in range(2)
    ]
    outcomes = await asyncio.gather(*adding, return_exceptions=True)
    assert sorted(type(each).__name__ for each in outcomes) == ["Conflict", "NumberWithAuth"]
    with pytest.raises(Conflict):
        await configure.add_number(database, NUMBER, region="GB", who=WHO, now=NOW)


async def test_a_rotated_value_is_good_until_its_overlap_ends(database: Database) -> None:
    make_secret = make_secrets()
    await configure.add_number(
        database, NUMBER, region="GB", who=WHO, now=NOW, make_secret=make_secret
    )
    await configure.rotate_auth(
        database, NUMBER, overlap=timedelta(hours=1), who=WHO, now=NOW, make_secret=make_secret
    )
    admission = await database.read(read_admission)
    later = NOW + timedelta(hours=1)
    assert admission.recognise(b"first", later - timedelta(seconds=1)) is not None
    assert admission.recognise(b"first", later) is None
    assert admission.recognise(b"second", later) is not None


async def test_at_most_two_values_live_however_many_rotate_at_once(database: Database) -> None:
    await configure.add_number(database, NUMBER, region="GB", who=WHO, now=NOW)
    await asyncio.gather(
        *(configure.rotate_auth(database, NUMBER, who=WHO, now=NOW) for _ in range(4))
    )
    found = await database.read(get_number, NUMBER)
    assert [auth.expires_at for auth in found.auth] == [None, NOW + configure.OVERLAP]


@pytest.mark.parametrize(("minutes", "kept"), [(1, b"first"), (11, b"second")])
async def test_a_rotation_that_is_sent_twice_keeps_the_value_that_is_in_use(
    database: Database, minutes: int, kept: bytes
) -> None:
    make_secret = make_secrets()
    made = await configure.add_number(
        database, NUMBER, region="GB", who=WHO, now=NOW, make_secret=make_secret
    )
    await database.write(note_auths_seen, {made.number.auth[0].id: NOW})
    for now in (NOW, NOW + timedelta(minutes=minutes)):
        await configure.rotate_auth(database, NUMBER, who=WHO, now=now, make_secret=make_secret)
    admission = await database.read(read_admission)
    assert set(admission.values) == {digest_secret(kept), digest_secret("third")}
    assert admission.recognise(kept, NOW + timedelta(hours=1)) is not None


async def test_a_number_that_is_gone_is_told(database: Database) -> None:
    await configure.add_number(database, NUMBER, region="GB", who=WHO, now=NOW)
    await configure.remove_number(database, NUMBER, who=WHO, now=NOW)
    assert not (await database.read(read_admission)).values
    with pytest.raises(NotFound):
        await configure.rotate_auth(database, NUMBER, who=WHO, now=NOW)
    with pytest.raises(NotFound):
        await configure.change_number(database, NUMBER, {"label": "x"}, who=WHO, now=NOW)


async def test_a_key_is_found_by_its_digest_until_it_is_revoked(database: Database) -> None:
    made = await configure.create_key(
        database, "shop", ["admin", "messages:read"], who=WHO, now=NOW, make_secret=make_secrets()
    )
    assert made.secret == "lbx_first"
    assert "first" not in repr(made)
    assert made.key.scopes == ("messages:read", "admin")
    assert await database.read(find_key, digest_secret(made.secret)) == made.key
    await configure.revoke_key(database, made.key.id, who=WHO, now=NOW)
    assert await database.read(find_key, digest_secret(made.secret)) is None
    with pytest.raises(NotFound):
        await database.read(get_key, made.key.id)


async def test_a_key_without_a_scope_is_refused(database: Database) -> None:
    with pytest.raises(InvalidInput):
        await configure.create_key(database, "shop", [], who=WHO, now=NOW)
