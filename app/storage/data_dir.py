"""DATA_DIR: where everything of a process lies that is not in the database."""

import contextlib
import errno
import fcntl
import json
import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path

from app.domain.errors import SetupError
from app.storage.durable import write_file
from app.storage.spool.quarantine import Quarantine, read_id

# What `load_secret` may make; a backup takes them along.
SECRETS = ("inbound_auth", "api_key", "erasure_key")
MIN_FREE_SHARE = 0.05
MIN_FREE_BYTES = 200 * 1024**2
MIN_FREE_INODES = 1_000


@dataclass(frozen=True, slots=True)
class DataDir:
    """The folder and the names in it; mode 0700, for it holds secrets and messages."""

    path: Path

    @classmethod
    def open(cls, path: Path) -> "DataDir":
        """Make the folder where it is missing. Raises SetupError where it cannot be used."""
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if path.stat().st_uid == os.getuid():
                path.chmod(0o700)
            if not os.access(path, os.R_OK | os.W_OK | os.X_OK) and not _is_read_only(path):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        except OSError as error:
            raise _refuse(path, error) from None
        return cls(path)

    @property
    def spool(self) -> Path:
        return self.path / "spool"

    def open_quarantine(self) -> Quarantine:
        """What the spool sets aside; it works on a disk that takes nothing, too."""
        mark = self.path / "folder-id"
        try:
            return Quarantine(self.spool, mark, read_id(_load_or_make_secret(mark)))
        except OSError:
            return Quarantine(self.spool, mark, None)

    def find_disk_fault(self) -> str | None:
        """What is wrong with the disk, if anything."""
        try:
            found = os.statvfs(self.path)
        except OSError as error:
            return f"the data folder {self.path} cannot be read ({error.strerror})"
        free, total = found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
        if _is_read_only(self.path):
            return f"the disk that holds {self.path} is read-only"
        if is_full(total, free):
            return f"the disk that holds {self.path} is almost full"
        if found.f_files and found.f_favail < max(MIN_FREE_INODES, found.f_files * MIN_FREE_SHARE):
            return f"the disk that holds {self.path} is almost out of inodes"
        return None

    def remember_messages(self, place: str) -> None:
        """Record that the database has held messages, so that a start that finds none raises an
        alert.
        """
        known = self._read_places()
        if place not in known:
            # Only that warning depends on the note.
            with contextlib.suppress(OSError):
                write_file(self._places, json.dumps([*known, place]).encode())

    def remembers_messages(self, place: str) -> bool:
        return place in self._read_places()

    @property
    def _places(self) -> Path:
        return self.path / "databases.json"

    def _read_places(self) -> list[str]:
        try:
            return list(json.loads(self._places.read_bytes()))
        except (OSError, ValueError, TypeError):
            return []

    @property
    def auth_cache(self) -> Path:
        return self.path / "auths.json"

    @property
    def heartbeat(self) -> Path:
        """What this machine's (or container's) worker touches while it lives."""
        return self.path / f"worker-{socket.gethostname()}.heartbeat"

    def load_secret(self, name: str) -> str:
        """The generated secret, one of SECRETS, made on first use. Raises SetupError."""
        if name not in SECRETS:
            raise ValueError(f"{name} is not in SECRETS")
        try:
            return _load_or_make_secret(self.path / name)
        except OSError as error:
            raise _refuse(self.path / name, error) from None

    def find_secret(self, name: str) -> str | None:
        """The same, but None where there is none yet or it cannot be read."""
        try:
            return (self.path / name).read_text().strip()
        except OSError:
            return None

    def keep_secret(self, name: str, secret: str) -> None:
        """Keep a secret that came from elsewhere; a folder that takes none is no failure."""
        if self.find_secret(name) != secret:
            with contextlib.suppress(OSError):
                write_file(self.path / name, f"{secret}\n".encode())

    def hold_alone(self, sqlite_path: Path) -> list[int]:
        """Lock the folder and the SQLite file until this process ends.

        Returns the descriptors to keep. Raises SetupError if another process holds either.
        """
        held = [self.lock()]
        try:
            return held + self.hold_file(sqlite_path)
        except SetupError:
            os.close(held[0])
            raise

    def hold_file(self, sqlite_path: Path) -> list[int]:
        """Lock the SQLite file alone, as above."""
        real = sqlite_path.resolve()
        try:
            return [_take_lock(real.with_name(f"{real.name}.lock"))]
        except BlockingIOError:
            raise SetupError(
                f"another letterbox is running on {real}, with another LETTERBOX_DATA_DIR: end it"
                " first, or set LETTERBOX_DATABASE_URL to a PostgreSQL server, which many can share"
            ) from None
        except OSError:
            return []  # if no file can be created, the database reports the reason

    def lock(self) -> int:
        """Hold the folder against a second process until this one ends.

        Returns the descriptor to keep. Raises SetupError where another process holds it.
        """
        path = self.path / "lock"
        try:
            return _take_lock(path)
        except BlockingIOError:
            raise SetupError(
                f"another letterbox is running on the folder {self.path}: end it first, or set"
                " LETTERBOX_DATABASE_URL to a PostgreSQL server, which many can share"
            ) from None
        except OSError as error:
            raise _refuse(path, error) from None


def find_file(path: Path) -> bool:
    """Whether a file in DATA_DIR is there. Raises SetupError where this user may not look."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise _refuse(path, error) from None
    return True


def is_full(total: int, free: int) -> bool:
    """Whether a disk of this size has too little free space."""
    return free < MIN_FREE_BYTES or free < total * MIN_FREE_SHARE


_FULL = "make room on its disk, or name a folder on another one"
_FOREIGN = "run this as the user that it belongs to, or name a folder that this user may use"
_ADVICE = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), _FULL),
    **dict.fromkeys((errno.EACCES, errno.EPERM), _FOREIGN),
    errno.EROFS: "make its disk writable, or name a folder on another one",
}


def _refuse(path: Path, error: OSError) -> SetupError:
    advice = _ADVICE.get(error.errno or 0, "name a folder that this user may write to")
    return SetupError(f"LETTERBOX_DATA_DIR: {path} cannot be used ({error.strerror}); {advice}")


def _is_read_only(path: Path) -> bool:
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)


def _take_lock(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _load_or_make_secret(path: Path) -> str:
    """The secret in a file of mode 0600, made on first use by exactly one of many processes.

    The file appears whole or not at all: a temporary one is fsynced and then linked into place.
    """
    if not path.exists():
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            pass  # another process was first, and its secret is as good
        finally:
            temporary.unlink()
    return path.read_text().strip()
