"""Reads and makes spools, as tests see them."""

from pathlib import Path

from app.storage.spool.segments import encode_record
from app.storage.spool.spool import Spool, adopt

HEADER_BYTES = len(encode_record(b""))


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


def segments_of(spool: Spool) -> list[Path]:
    return sorted(spool.folder.glob("*.segment"))


def write_dead_spool(root: Path, *segments: bytes) -> None:
    """A folder as a process that died leaves it."""
    folder = root / "dead"
    folder.mkdir(parents=True)
    for number, content in enumerate(segments, 1):
        (folder / f"{number:010d}.segment").write_bytes(content)


def encode(*records: bytes) -> bytes:
    return b"".join(map(encode_record, records))
