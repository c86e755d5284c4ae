"""Watches disk, database file and spool: raises an alert while one fails, and closes it."""

import asyncio

from app.flows.operations.deferred_writes import DeferredWrites
from app.storage.db.database import Database
from app.storage.inbound.intake import Intake
from app.storage.spool.data_dir import DataDir

DISK = "disk-full"
SPOOL = "spool-unusable"
FILE = "database-file"

ENDS = "Letterbox keeps retrying, and then closes this alert."


class StorageWatch:
    """One per process. A fault that begins while the database is unavailable is reported later."""

    def __init__(
        self,
        data_dir: DataDir,
        database: Database,
        intake: Intake | None,
        deferred_writes: DeferredWrites,
        *,
        place: str,
        host: str,
    ) -> None:
        """`place` is the database's location as recorded in the data folder."""
        self._data_dir = data_dir
        self._database = database
        self._intake = intake
        self._deferred_writes = deferred_writes
        self._place = place
        self._host = host
        self._has_noted = False
        # The first check closes what an earlier process left open.
        self._open: dict[str, bool] = {}

    async def look(self) -> None:
        """Report what has begun or ended since the last check."""
        if self._deferred_writes.has_stored and not self._has_noted:
            self._has_noted = True
            await asyncio.to_thread(self._data_dir.remember_messages, self._place)
        self._tell(DISK, self._data_dir.find_disk_fault(), f"Free space on that disk. {ENDS}")
        for fault in self._database.take_faults():
            self._tell(FILE, fault, "Do as it says: messages wait in the spool until then.")
        self._tell(FILE, self._database.fault, "")
        if self._intake is not None:
            self._tell(SPOOL, self._intake.spool_error, f"Fix the cause named there. {ENDS}")

    def _tell(self, kind: str, fault: str | None, action: str) -> None:
        is_open = fault is not None
        if self._open.get(kind) == is_open:
            return
        self._open[kind] = is_open
        if fault is None:
            self._deferred_writes.end_condition(kind, self._host)
        else:
            text = f"{fault[:1].upper()}{fault[1:]}".rstrip(".") + "."
            self._deferred_writes.begin_condition(kind, self._host, text, action)
