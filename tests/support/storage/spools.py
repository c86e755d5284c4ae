"""Reads and makes spools, as tests see them."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from app.storage.spool.adoption import adopt
from app.storage.spool.spool import Spool


def drain(spool: Spool, max_records: int = 100) -> list[bytes]:
    records: list[bytes] = []
    while batch := spool.read(max_records=max_records, max_bytes=1_000_000):
        records += batch.records
        spool.release(batch)
    return records


def adopt_only(root: Path) -> Spool:
    adoption = adopt(root)
    assert adoption.failures == []
    [spool] = adoption.spools
    return spool


def drain_all(root: Path) -> list[bytes]:
    """What whoever comes next finds."""
    found = []
    for spool in adopt(root).spools:
        found += drain(spool)
        spool.close()
    return found


def files_of(spool: Spool) -> list[Path]:
    return sorted(spool.path.parent.glob(f"{spool.path.name}*"))


def leave_as_killed(spool: Spool, root: Path) -> Path:
    """Ends a spool and puts its files into `root` as a process that is killed now leaves them."""
    root.mkdir(parents=True, exist_ok=True)
    copies = {path.name: path.read_bytes() for path in files_of(spool)}
    spool.close()
    for path in files_of(spool):
        path.unlink()
    for name, content in copies.items():
        (root / name).write_bytes(content)
    return root / spool.path.name


def write_dead_spool(
    root: Path, *batches: Iterable[bytes], name: str = "dead.1", in_place: bool = False
) -> Path:
    """The file of a process that was killed after these appends, most of it in SQLite's journal.

    `in_place`: the journal was written to its place before.
    """
    elsewhere = root.with_name(f"{root.name}-making")
    spool = Spool.create(elsewhere, iter([name]))
    for records in batches:
        spool.append(list(records))
    if in_place:
        spool.close()
        root.mkdir(parents=True, exist_ok=True)
        spool.path.rename(root / spool.path.name)
        path = root / spool.path.name
    else:
        path = leave_as_killed(spool, root)
    shutil.rmtree(elsewhere)
    return path
