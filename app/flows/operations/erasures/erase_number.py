"""Erases every trace of a number, in steps that can be taken up again, and proves it by a scan."""

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from app.domain.access.sealing import Sealer
from app.domain.errors import Conflict, InvalidInput, NoProvider, NotFound
from app.domain.provider_errors import ProviderError
from app.domain.written_numbers import NumberForms, make_forms
from app.flows.operations.erasures.clean_rows import Pass, clean_rows
from app.flows.operations.processes.leader import take_turn
from app.flows.outbound.cancel import cancel_text
from app.provider.client import ProviderClient
from app.storage.access.audit import add_audit
from app.storage.db.database import Connection, Database
from app.storage.operations.erasures.erasures import (
    Erasure,
    add_erasure,
    count_unfinished,
    finish_erasure,
    get_erasure,
    list_unfinished,
    note_obstacle,
    note_removed,
)
from app.storage.operations.erasures.redaction import Erasing
from app.storage.operations.erasures.traces import (
    FileScan,
    SpoolScan,
    clean_spool,
    list_copies_beside,
    scan_files,
)
from app.storage.operations.processes import GONE_AFTER, list_processes
from app.storage.outbound.erasing import (
    cancel_erased,
    count_stray_entries,
    is_being_sent,
    list_kept_there,
    merge_indexes,
)
from app.storage.rules.answers import read_our_numbers

LEASE = "erasures"
# What other processes have in hand may still be written; they are done within seconds.
MOST_PASSES = 8
PASS_REST_SECONDS = 0.5
PURGES = 40
PURGE_REST_SECONDS = 0.1
LOOK_SECONDS = 0.2

log = structlog.get_logger("letterbox.erasures")


async def begin_erasure(database: Database, number: str, *, who: str, now: datetime) -> Erasure:
    """Note that a number, given as it is stored, is to be erased; an `Eraser` does it.

    The number itself is kept sealed until then. Returns the one that is going on where there is
    one. Raises InvalidInput for one of our own numbers.
    """

    def begin(conn: Connection) -> Erasure:
        check_erasable(conn, number)
        sealed = _make_sealer(database).seal(number)
        made = add_erasure(conn, number, sealed, who=who, now=now)
        add_audit(conn, who, "number.erase", f"…{made.tail}", {}, now)
        return made

    return await database.write(begin)


def check_erasable(conn: Connection, number: str) -> None:
    """Raises InvalidInput for one of our own numbers."""
    if number in read_our_numbers(conn):
        raise InvalidInput(
            "this is one of your own numbers; remove it first", field="number", code="not-allowed"
        )


async def wait_for_erasure(database: Database, erasure_id: int, seconds: float) -> Erasure:
    """As it is once it is finished, or after so long."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while True:
        found = await database.read(get_erasure, erasure_id)
        if found.finished_at is not None or loop.time() >= end:
            return found
        await asyncio.sleep(LOOK_SECONDS)


@dataclass
class Eraser:
    """Finishes erasures, one process at a time. `data_dir` and `region` are the settings'."""

    database: Database
    get_client: Callable[[], ProviderClient]
    data_dir: Path
    region: str
    now: Callable[[], datetime]
    on_step: Callable[[], None] = lambda: None

    async def advance(self) -> int:
        """Go on with what is not finished; returns how many were finished."""
        if not await self.database.read(count_unfinished):
            return 0
        done = 0
        async with take_turn(self.database, LEASE, now=self.now) as holder:
            for erasure_id, sealed in await self.database.read(list_unfinished) if holder else ():
                number = _make_sealer(self.database).open(sealed)
                obstacle = await self._erase(erasure_id, number)
                if obstacle is None:
                    done += 1
                    log.info("number_erased", erasure=erasure_id)
                else:
                    await self.database.write(note_obstacle, erasure_id, obstacle)
        return done

    async def _erase(self, erasure_id: int, number: str) -> str | None:
        """Why it has to go on later; None once it is finished."""
        obstacle = await self._cancel(number) or await self.database.read(_find_waiting, self.now())
        if obstacle is not None:
            return obstacle
        forms = make_forms(number, self.region)
        found = await self._clean(erasure_id, forms)
        if found.hits:
            return f"rows with it keep coming: {', '.join(sorted(found.hits))}"
        spool = await asyncio.to_thread(clean_spool, self.data_dir / "spool", forms)
        if spool.removed:
            await self.database.write(
                note_removed, erasure_id, {"spool": {"removed": spool.removed}}
            )
        await self._merge_indexes()
        strays = await self.database.read(count_stray_entries, forms)
        files, was_compacted = await self._scan_files(forms, found)
        scan = self._describe(found, strays, files, spool, was_compacted=was_compacted)
        await self.database.write(finish_erasure, erasure_id, scan, self.now())
        return None

    async def _cancel(self, number: str) -> str | None:
        """Cancel what is to go out to the number; why that is not over yet."""
        while await self.database.write(cancel_erased, number, self.now()):
            self.on_step()
        for text_id in await self.database.read(list_kept_there, number, self.now()):
            try:
                await cancel_text(
                    self.database, self.get_client, text_id, who="erasure", now=self.now()
                )
            except (Conflict, NotFound):
                continue
            except (NoProvider, ProviderError) as error:
                return f"a text is scheduled at the provider, who does not cancel it: {error}"
        if await self.database.read(is_being_sent, number):
            return "a text to the number is being sent at this moment"
        return None

    async def _clean(self, erasure_id: int, forms: NumberForms) -> Pass:
        """Pass after pass until one finds nothing: that one is the proof."""
        found = Pass()
        for turn in range(MOST_PASSES):
            erasing = Erasing(forms, self.now())
            found = await clean_rows(self.database, erasure_id, erasing, self.on_step)
            if not found.hits:
                return found
            await asyncio.sleep(PASS_REST_SECONDS if turn else 0)
        return found

    async def _merge_indexes(self) -> None:
        more = await self.database.write(merge_indexes, begins=True)
        while more:
            self.on_step()
            await asyncio.sleep(0)
            more = await self.database.write(merge_indexes, begins=False)

    async def _scan_files(self, forms: NumberForms, found: Pass) -> tuple[FileScan, bool]:
        """The database's own files; written anew where something of old is left in free space."""
        for was_compacted in (False, True):
            for _ in range(PURGES):
                if await self.database.purge():
                    break
                await asyncio.sleep(PURGE_REST_SECONDS)
            files = await asyncio.to_thread(
                scan_files, self.database.files, forms, frozenset(found.others)
            )
            if not files.traces or was_compacted:
                break
            await self.database.compact()
        return files, was_compacted

    def _describe(
        self,
        found: Pass,
        strays: int,
        files: FileScan,
        spool: SpoolScan,
        *,
        was_compacted: bool,
    ) -> dict[str, Any]:
        copies = [each for path in self.database.files[:1] for each in list_copies_beside(path)]
        return {
            "tables": found.tables,
            "columns": found.columns,
            "rows": found.rows,
            "found": 0,
            "index_entries": strays,
            "file_bytes": files.size,
            "file_traces": files.traces,
            "was_compacted": was_compacted,
            "spool_files": spool.files,
            "spool_left": asdict(spool)["left"],
            "copies": copies,
            "is_clean": not (strays or files.traces or spool.left),
        }


def _find_waiting(conn: Connection, now: datetime) -> str | None:
    """Messages in the spool of a living process are stored first; those of one that is gone are
    dropped when they are found.
    """
    alive = [each for each in list_processes(conn) if now - each.seen_at < GONE_AFTER]
    if any(each.spool_depth for each in alive):
        return "messages wait in a spool"
    return None


def _make_sealer(database: Database) -> Sealer:
    key = database.digest_key.key
    if key is None:
        raise RuntimeError("the key of erased numbers is not loaded")
    return Sealer(key.decode())
