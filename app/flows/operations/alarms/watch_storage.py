"""Watches disk, database file and spool: raises an alert while one fails, and closes it."""

import asyncio
from dataclasses import dataclass, field

from app.flows.operations.deferred_writes import DeferredWrites
from app.storage.data_dir import DataDir
from app.storage.db.database import Database
from app.storage.inbound.intake import Intake

DISK = "disk-full"
SPOOL = "spool-unusable"
FILE = "database-file"

ENDS = "Letterbox keeps retrying, and then closes this alert."


@dataclass
class StorageWatch:
    """One per process. A fault that begins while the database is unavailable is reported later.

    `place` is the database's location as recorded in the data folder.
    """

    data_dir: DataDir
    database: Database
    intake: Intake | None
    deferred_writes: DeferredWrites
    place: str
    host: str
    _has_noted: bool = False
    # The first check closes what an earlier process left open.
    _open: dict[str, bool] = field(default_factory=dict)

    async def look(self) -> None:
        """Report what has begun or ended since the last check."""
        if self.deferred_writes.has_stored and not self._has_noted:
            self._has_noted = True
            await asyncio.to_thread(self.data_dir.remember_messages, self.place)
        self._tell(DISK, self.data_dir.find_disk_fault(), f"Free space on that disk. {ENDS}")
        for fault in self.database.take_faults():
            self._tell(FILE, fault, "Do as it says: messages wait in the spool until then.")
        self._tell(FILE, self.database.fault, "")
        if self.intake is not None:
            self._tell(SPOOL, self.intake.spool_error, f"Fix the cause named there. {ENDS}")

    def _tell(self, kind: str, fault: str | None, action: str) -> None:
        is_open = fault is not None
        if self._open.get(kind) == is_open:
            return
        self._open[kind] = is_open
        if fault is None:
            self.deferred_writes.end_condition(kind, self.host)
        else:
            text = f"{fault[:1].upper()}{fault[1:]}".rstrip(".") + "."
            self.deferred_writes.begin_condition(kind, self.host, text, action)
