"""A backup file: the database, the generated secrets and the spool in one compressed tar.

The last member, `manifest.json`, has the digest of every other one: a file without it is not whole.
"""

import gzip
import hashlib
import io
import json
import re
import shutil
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple, cast

from app.domain.errors import SetupError

FORMAT = 1
MANIFEST = "manifest.json"
SECRETS = "secrets"
SPOOL = "spool"
Kind = Literal["sqlite", "postgresql"]
DATABASES: Mapping[Kind, str] = {"sqlite": "database.sqlite3", "postgresql": "database.dump"}

# Nothing else is written to disk, whatever a tar may hold.
_NAME = re.compile(
    r"database\.(sqlite3|dump)|secrets/[a-z_]+|spool/(refused/|damaged/)?[A-Za-z0-9_][A-Za-z0-9_.-]*"
)
_LEVEL = 1
_CHUNK_BYTES = 1024**2


class Member(NamedTuple):
    """A file's size and SHA-256."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """`version` is of the program, `revision` of the schema; `files` by name."""

    version: str
    revision: str
    database: Kind
    taken_at: datetime
    files: Mapping[str, Member]


class _Digesting:
    """A file that is read, or written, once, and its digest."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._size = 0

    def read(self, size: int = -1) -> bytes:
        data = cast("bytes", self._file.read(size))
        self._digest.update(data)
        self._size += len(data)
        return data

    @property
    def member(self) -> Member:
        return Member(self._size, self._digest.hexdigest())


def write_backup(
    target: BinaryIO,
    folder: Path,
    *,
    version: str,
    revision: str,
    database: Kind,
    taken_at: datetime,
) -> Manifest:
    """Everything below `folder`, which has the names of a backup's members."""
    files: dict[str, Member] = {}
    with (
        gzip.GzipFile(fileobj=target, mode="wb", compresslevel=_LEVEL, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w|") as archive,
    ):
        for path in sorted(each for each in folder.rglob("*") if each.is_file()):
            name = str(path.relative_to(folder))
            with path.open("rb") as file:
                digesting = _Digesting(file)
                archive.addfile(_describe(name, path.stat().st_size), cast("Any", digesting))
            files[name] = digesting.member
        manifest = Manifest(version, revision, database, taken_at, files)
        data = _write_manifest(manifest)
        archive.addfile(_describe(MANIFEST, len(data)), io.BytesIO(data))
    return manifest


def unpack_backup(file: BinaryIO, folder: Path) -> Manifest:
    """Unpack into the empty `folder` and compare every digest.

    Raises SetupError for what is no backup, is damaged or not whole, or of a later format.
    """
    try:
        with (
            gzip.GzipFile(fileobj=file, mode="rb") as packed,
            tarfile.open(fileobj=packed, mode="r|") as archive,
        ):
            found, manifest = _unpack(archive, folder)
            packed.read()  # gzip compares its checksum at the end
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise SetupError(f"this is no backup of Letterbox, or a damaged one ({error})") from None
    if manifest is None:
        raise SetupError("this backup is not whole: its end is missing")
    if found != manifest.files:
        wrong = sorted(
            name
            for name in found.keys() | manifest.files
            if found.get(name) != manifest.files.get(name)
        )
        raise SetupError(f"this backup is damaged: {', '.join(wrong)} is not what was backed up")
    return manifest


def _unpack(archive: tarfile.TarFile, folder: Path) -> tuple[dict[str, Member], Manifest | None]:
    found: dict[str, Member] = {}
    manifest = None
    for name, file in _list_members(archive):
        if name == MANIFEST:
            manifest = _read_manifest(file.read())
            continue
        if not _NAME.fullmatch(name):
            raise SetupError(f"this is no backup of Letterbox: it has a file {name[:100]!r}")
        path = folder / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        digesting = _Digesting(file)
        with path.open("wb") as copy:
            path.chmod(0o600)
            shutil.copyfileobj(digesting, copy, _CHUNK_BYTES)
        found[name] = digesting.member
    return found, manifest


def _list_members(archive: tarfile.TarFile) -> Iterator[tuple[str, Any]]:
    for member in archive:
        if member.isfile():
            yield member.name, archive.extractfile(member)


def _describe(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info


def _write_manifest(manifest: Manifest) -> bytes:
    files = {name: each._asdict() for name, each in manifest.files.items()}
    shown = asdict(manifest) | {"taken_at": manifest.taken_at.isoformat(), "files": files}
    return json.dumps({"format": FORMAT, **shown}, indent=2).encode()


def _read_manifest(data: bytes) -> Manifest:
    try:
        shown = json.loads(data)
        if shown["format"] != FORMAT:
            raise SetupError("this backup was made by a newer release of Letterbox: use that one")
        return Manifest(
            str(shown["version"]),
            str(shown["revision"]),
            cast("Kind", shown["database"]),
            datetime.fromisoformat(shown["taken_at"]).astimezone(UTC),
            {name: Member(**each) for name, each in shown["files"].items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SetupError("this backup is damaged: its manifest cannot be read") from None
