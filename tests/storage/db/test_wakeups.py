"""Bells between processes, over PostgreSQL."""

import asyncio
from pathlib import Path

from app.storage.db.database import open_database
from app.storage.db.wakeups import Wakeups


async def test_a_bell_rings_in_other_processes_and_once_alone_in_its_own(postgres_url: str) -> None:
    database = open_database(postgres_url, Path())
    ours, theirs = Wakeups(database), Wakeups(database)
    ours.start()
    theirs.start()

    async def call(caller: Wakeups, hearer: Wakeups, name: str) -> None:
        """Ring until it is heard: the listener may not be connected yet."""
        heard = asyncio.create_task(hearer.wait(name, 60))
        while not heard.done():
            caller.notify(name)
            await asyncio.wait({heard}, timeout=0.2)

    await call(theirs, ours, "warm")
    await call(ours, theirs, "warm")
    ours.notify("messages")
    await ours.wait("messages", 60)
    again = asyncio.create_task(ours.wait("messages", 60))
    # Theirs comes after ours has gone all the way round.
    await theirs.wait("messages", 60)
    await call(theirs, ours, "answer")
    assert not again.done()
    again.cancel()
    await ours.close()
    await theirs.close()
    await database.close()


async def test_a_note_reaches_its_own_process_at_once_and_the_others_once(
    postgres_url: str,
) -> None:
    database = open_database(postgres_url, Path())
    ours, theirs = Wakeups(database), Wakeups(database)
    heard: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
    ours.on_note = lambda note: heard.put_nowait(("ours", note))
    theirs.on_note = lambda note: heard.put_nowait(("theirs", note))
    ours.start()
    theirs.start()
    warm = asyncio.create_task(theirs.wait("warm", 60))
    while not warm.done():
        ours.notify("warm")
        await asyncio.wait({warm}, timeout=0.2)
    ours.pass_on("draft conversation-7")
    assert heard.get_nowait() == ("ours", "draft conversation-7")
    async with asyncio.timeout(60):
        assert await heard.get() == ("theirs", "draft conversation-7")
    assert heard.empty()
    await ours.close()
    await theirs.close()
    await database.close()
