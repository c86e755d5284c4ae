"""The spool: where acknowledged messages wait on disk while the database is away.

    root/<id>/lock                 held by flock as long as the process lives
    root/<id>/database             whose messages these are; an older release wrote none
    root/<id>/0000000001.segment   records in order; names sort as they were written
    root/damaged/                  segments that lost records, kept for a person
    root/refused/                  records that the database can never store, a file each

Records are opaque bytes. Everything blocks and belongs to one thread at a time; other threads may
only look at `depth`, `disk_bytes` and `oldest_at`. Delivery is at least once: how far a drain came
is kept in memory alone, for the rows' key makes a second delivery harmless.
"""

import os
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from app.storage.spool.durable import (
    MARK,
    Files,
    claim_new_folder,
    drop_folder,
    holds_lock,
    make_folder,
    spool_errors,
    sync_folder,
    take_lock,
    write_file,
)
from app.storage.spool.durable import SpoolError as SpoolError
from app.storage.spool.quarantine import QUARANTINES, set_aside
from app.storage.spool.quarantine import count_refused as count_refused
from app.storage.spool.quarantine import refuse as refuse
from app.storage.spool.segments import Segment, encode_record

SEGMENT_BYTES = 4 * 1024 * 1024

_SEGMENT_NAME = re.compile(r"\d{10}\.segment")
# Not `lost+found`, which stands in the root of a volume.
_FOLDER_NAME = re.compile(r"[A-Za-z0-9_-]+")
_CREATE_ATTEMPTS = 10
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class SpoolMovedError(SpoolError):
    """The spool's folder, or a file in it, was removed or moved, or is hidden by a mount."""


@dataclass(frozen=True, slots=True)
class SpoolBatch:
    """Records in the order in which they were appended; the rest is for `Spool.release`."""

    records: tuple[bytes, ...]
    segment: Path
    start: int
    end: int


class Spool:
    """One folder of segments, held by this process.

    `depth` counts the records that were appended and not released, `disk_bytes` the segments'
    bytes, `damaged` lists what was moved to root/damaged/ (look at it after `read`, `release` and
    `close`: each entry wants an alert).
    """

    def __init__(
        self,
        folder: Path,
        lock: int,
        segments: Sequence[Segment] = (),
        *,
        segment_bytes: int = SEGMENT_BYTES,
        accepts: bool,
        files: Files,
    ) -> None:
        """For `create` and `adopt` alone: `lock` is a descriptor that holds the folder's flock."""
        self.id = folder.name
        self.folder = folder
        self.depth = sum(segment.records for segment in segments)
        self.disk_bytes = sum(segment.size for segment in segments)
        self.damaged: list[Path] = []
        self._segments = [segment for segment in segments if segment.records]
        self._spent = [segment for segment in segments if not segment.records]
        self._number = 0
        self._lock: int | None = lock
        self._accepts = accepts
        self._segment_bytes = segment_bytes
        self._files = files

    @classmethod
    def create(
        cls,
        root: Path,
        *,
        make_id: Callable[[], str],
        segment_bytes: int = SEGMENT_BYTES,
        mark: bytes | None = None,
        files: Files = os,
    ) -> "Spool":
        """A new, empty folder below `root`, which is made where it is missing; mode 0700.

        `make_id` gives a random name of letters, digits, `_` and `-`. A segment is closed before it
        would pass `segment_bytes` (one append never spans two). `mark` says to `adopt` whose it is.
        SpoolError where the disk does not
        take a folder; nothing stays behind then, and the caller tries again later.
        """
        with spool_errors(root):
            make_folder(files, root)
            folder, lock = _claim_any_folder(files, root, make_id)
            spool = cls(folder, lock, segment_bytes=segment_bytes, accepts=True, files=files)
            try:
                if mark is not None:
                    write_file(files, folder / MARK, mark)
                sync_folder(files, root)
            except OSError:
                spool.close()
                raise
        return spool

    @property
    def oldest_at(self) -> datetime | None:
        """About when the oldest segment was begun, by the file system's clock; None when empty."""
        head = self._segments[:1]
        return head[0].since if head else None

    def append(self, records: Sequence[bytes]) -> None:
        """Makes all of `records` durable before it returns, or none of them and raises SpoolError.

        SpoolMovedError where another file, or none, stands at the spool's path by now: whoever
        looks for the records would not find them. ValueError for a record over
        `segments.MAX_RECORD_BYTES`, and on a spool that was adopted or closed.
        """
        if not self._accepts:
            raise ValueError(f"the spool {self.id} is only drained")
        if not records:
            return
        block = b"".join(map(encode_record, records))
        with spool_errors(self.folder):
            segment = self._open_segment(len(block))
            self._append_block(segment, records, block)
        self.depth += len(records)
        self.disk_bytes += len(block)
        if not self.is_in_place():
            raise SpoolMovedError(f"The spool {self.folder} is not at its path any more.")

    def write_mark(self, mark: bytes) -> None:
        """Say anew whose messages these are. Raises SpoolError."""
        with spool_errors(self.folder):
            write_file(self._files, self.folder / MARK, mark)

    def is_in_place(self) -> bool:
        """Whether its folder, its lock and what is being written stand where others look."""
        if self._lock is None:
            return False
        try:
            return holds_lock(self.folder, self._lock) and all(
                segment.is_in_place() for segment in self._segments[-1:]
            )
        except OSError:
            return False

    def rescue(self) -> list[bytes]:
        """All records that were written and not released, as far as they can be read."""
        found: list[bytes] = []
        for segment in self._segments:
            with suppress(OSError):
                found += segment.read(max_records=segment.records, max_bytes=segment.size)[0]
        return found

    def abandon(self) -> None:
        """Lets go of what it has open and touches no path: they are another's by now, or gone."""
        self._accepts = False
        for segment in self._segments:
            segment.close()
        if self._lock is not None:
            self._files.close(self._lock)
            self._lock = None

    def read(self, *, max_records: int, max_bytes: int) -> SpoolBatch | None:
        """The oldest records that are not released, None when there are none.

        A batch comes from one segment and holds at most `max_bytes` of payload, except that a
        larger record comes alone. Until `release` the same records come again.
        """
        if max_records < 1:
            raise ValueError("max_records must be at least 1")
        while self._segments:
            head = self._segments[0]
            with spool_errors(head.path):
                records, end = head.read(max_records, max_bytes)
            if records:
                return SpoolBatch(tuple(records), head.path, head.position, end)
            self._retire_head()
        self._remove_spent()
        return None

    def release(self, batch: SpoolBatch) -> None:
        """Lets go of a batch that the database has committed, and frees the disk behind it.

        Never fails for the disk: a file that cannot be removed is tried again at the next release,
        and delivered once more if the process ends before. ValueError for any batch but the one
        that `read` gives now.
        """
        head = self._segments[0] if self._segments else None
        if head is None or (head.path, head.position) != (batch.segment, batch.start):
            raise ValueError("only the batch that was read last can be released, once")
        head.position = batch.end
        head.records -= len(batch.records)
        self.depth -= len(batch.records)
        if head.position >= head.end:
            self._retire_head()
        self._remove_spent()

    def close(self) -> None:
        """Gives the folder up: an empty one is removed, any other is there to be adopted."""
        if self._lock is None:
            return
        self._accepts = False
        for segment in self._segments:
            segment.close()
        self._remove_spent()
        drop_folder(self._files, self.folder, self._lock)
        self._lock = None

    def _open_segment(self, size: int) -> Segment:
        if self._segments and (last := self._segments[-1]).is_open:
            if last.end + size <= self._segment_bytes:
                return last
            last.close()
        self._number += 1
        return Segment.begin(self.folder / f"{self._number:010d}.segment", self._files)

    def _append_block(self, segment: Segment, records: Sequence[bytes], block: bytes) -> None:
        is_new = segment.end == 0
        try:
            segment.append(records, block)
        except OSError:
            if is_new:
                segment.close()
                self._spent.append(segment)
                self._remove_spent()
            raise
        if is_new:
            self._segments.append(segment)

    def _retire_head(self) -> None:
        """Takes the first segment out of the queue; what it still counted is lost to damage."""
        head = self._segments.pop(0)
        head.close()
        self.depth -= head.records
        self._spent.append(head)

    def _remove_spent(self) -> None:
        left = []
        for segment in self._spent:
            try:
                self._remove_segment(segment)
            except OSError:
                left.append(segment)
            else:
                self.disk_bytes -= segment.size
        if len(left) < len(self._spent):
            # A name that comes back after a crash is only a second delivery.
            with suppress(OSError):
                sync_folder(self._files, self.folder)
        self._spent = left

    def _remove_segment(self, segment: Segment) -> None:
        if segment.damaged:
            self.damaged.append(set_aside(self._files, segment.path))
        else:
            with suppress(FileNotFoundError):
                self._files.unlink(segment.path)


@dataclass(frozen=True, slots=True)
class Adoption:
    """The folders that were taken over, and why others that nobody holds could not be.

    `foreign` are left alone, for their mark is not ours; each with that.
    """

    spools: list[Spool]
    failures: list[SpoolError]
    foreign: list[tuple[Path, bytes]]


def adopt(
    root: Path, *, is_ours: Callable[[bytes], bool] = lambda _: True, files: Files = os
) -> Adoption:
    """Takes over every folder below `root` whose process is gone, to drain it and `close` it.

    `is_ours` judges the mark of a folder that has one.

    A free lock is the proof. The oldest comes first, so that the messages of processes that died
    one after another come in order. Every segment is read once to count what it holds, one in
    memory at a time. One folder that cannot be opened does not keep the others from being drained.
    """
    found = Adoption([], [], [])
    for folder in _list_folders(root):
        try:
            with spool_errors(folder):
                spool = _adopt_folder(files, folder)
                mark = _read_mark(folder) if spool is not None else None
        except SpoolError as error:
            found.failures.append(error)
            continue
        if spool is None:
            continue
        if mark is None or is_ours(mark):
            found.spools.append(spool)
            continue
        spool.abandon()
        if spool.depth:
            found.foreign.append((folder, mark))
    found.spools.sort(key=lambda spool: spool.oldest_at or _LONG_AGO)
    return found


def _adopt_folder(files: Files, folder: Path) -> Spool | None:
    lock = take_lock(files, folder)
    if lock is None:
        return None
    try:
        paths = sorted(path for path in folder.iterdir() if _SEGMENT_NAME.fullmatch(path.name))
        segments = [Segment.inspect(path, files, is_last=path == paths[-1]) for path in paths]
    except OSError:
        files.close(lock)
        raise
    return Spool(folder, lock, segments, accepts=False, files=files)


def _read_mark(folder: Path) -> bytes | None:
    try:
        return (folder / MARK).read_bytes()
    except FileNotFoundError:
        return None


def _claim_any_folder(files: Files, root: Path, make_id: Callable[[], str]) -> tuple[Path, int]:
    for _ in range(_CREATE_ATTEMPTS):
        name = make_id()
        if not _is_folder_name(name):
            raise ValueError(f"{name!r} is no name for a spool's folder")
        lock = claim_new_folder(files, root / name)
        if lock is not None:
            return root / name, lock
    raise SpoolError(f"The spool {root} found no free name for a folder; try again.")


def _list_folders(root: Path) -> list[Path]:
    with spool_errors(root), suppress(FileNotFoundError):
        return sorted(
            path
            for path in root.iterdir()
            if _is_folder_name(path.name) and path.is_dir() and not path.is_symlink()
        )
    return []


def _is_folder_name(name: str) -> bool:
    return _FOLDER_NAME.fullmatch(name) is not None and name not in QUARANTINES
