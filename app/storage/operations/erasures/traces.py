"""Looks for a number in the bytes of files: the database's own, and what lies in the spool."""

import json
import subprocess
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from app.domain.inbound.messages import InboundMessage
from app.domain.written_numbers import AROUND, NumberForms
from app.storage.durable import sync_folder
from app.storage.spool.quarantine import REFUSED

# The regular expression holds Python's lock that long.
CHUNK_BYTES = 256 * 1024
# More than the longest form of a number.
OVERLAP_BYTES = 256
_READER = "import shutil, sys; shutil.copyfileobj(open(sys.argv[1], 'rb'), sys.stdout.buffer)"


@dataclass(frozen=True, slots=True)
class FileScan:
    """`traces` are places with the number's digits that no other number explains."""

    size: int
    traces: int


@dataclass(frozen=True, slots=True)
class SpoolScan:
    """What lies in the spool: `removed` records were the number's, `left` are names of files that
    still hold it.
    """

    files: int = 0
    removed: int = 0
    left: list[str] = field(default_factory=list)


def scan_files(
    paths: Sequence[Path], forms: NumberForms, others: Collection[bytes] = ()
) -> FileScan:
    """Every byte, free pages and journal included; a file that is not there holds nothing."""
    size = traces = 0
    for path in paths:
        with suppress(FileNotFoundError):
            size += path.stat().st_size
            traces += sum(1 for _ in _list_traces(path, forms, others))
    return FileScan(size, traces)


def _list_traces(path: Path, forms: NumberForms, others: Collection[bytes]) -> Iterator[int]:
    """The places of traces, by where they begin in the file."""
    seen = -1
    place, tail = 0, b""
    with _open_apart(path) as file:
        while chunk := file.read(CHUNK_BYTES):
            data, base = tail + chunk, place - len(tail)
            for start, end in forms.find_traces(data):
                is_complete = len(chunk) < CHUNK_BYTES or end + AROUND <= len(data)
                if base + start > seen and is_complete:
                    seen = base + start
                    if not _is_explained(data, start, end, others):
                        yield seen
            place += len(chunk)
            tail = data[-OVERLAP_BYTES:]


@contextmanager
def _open_apart(path: Path) -> Iterator[IO[bytes]]:
    """A file's bytes, read by a process of its own. Raises OSError.

    Closing a file drops every lock that this process has on it, SQLite's own too. The next program
    that opens and closes the database would take itself for the last and remove its journal.
    """
    command = [sys.executable, "-I", "-S", "-c", _READER, str(path)]
    with subprocess.Popen(  # noqa: S603 no shell is involved
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as reader:
        if reader.stdout is not None:  # it is a pipe
            yield reader.stdout
    if reader.returncode:
        path.stat()
        raise OSError(f"{path} cannot be read")


def _is_explained(data: bytes, start: int, end: int, others: Collection[bytes]) -> bool:
    around = data[max(start - AROUND, 0) : end + AROUND]
    return any(each in around for each in others)


def clean_spool(root: Path, forms: NumberForms) -> SpoolScan:
    """Remove what was refused and is the number's; say what else holds it. Blocks."""
    removed, left, count = 0, [], 0
    for path in sorted(root.rglob("*")) if root.is_dir() else ():
        if not path.is_file():
            continue
        count += 1
        with suppress(FileNotFoundError):
            if path.parent.name == REFUSED and _is_of(path, forms):
                path.unlink()
                sync_folder(path.parent)
                removed += 1
            elif scan_files([path], forms).traces:
                left.append(str(path.relative_to(root)))
    return SpoolScan(count, removed, left)


def _is_of(path: Path, forms: NumberForms) -> bool:
    """Whether a refused record, behind a line with the reason, speaks of the number."""
    data = path.read_bytes()
    record = data.partition(b"\n")[2]
    try:
        raw = InboundMessage.from_record(record).raw
        return forms.is_in(json.loads(record)) or forms.is_in(raw)
    except (ValueError, KeyError, TypeError):
        return forms.is_in(data)


def list_copies_beside(path: Path) -> list[str]:
    """Copies of the database's file that starts have made, which hold what was there then."""
    ignored = {path.name, f"{path.name}-wal", f"{path.name}-shm", f"{path.name}.lock"}
    beside = path.parent.glob(f"{path.name}*")
    return sorted(each.name for each in beside if each.name not in ignored)
