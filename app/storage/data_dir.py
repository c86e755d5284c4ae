"""DATA_DIR: where everything of a process lies that is not in the database."""

import fcntl
import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path

from app.domain.errors import SetupError
from app.storage.quarantine import Quarantine, read_id


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
        except OSError as error:
            raise SetupError(
                f"LETTERBOX_DATA_DIR: {path} cannot be used ({error.strerror}); name a folder that"
                " this user may write to"
            ) from None
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

    @property
    def auth_cache(self) -> Path:
        return self.path / "auths.json"

    @property
    def pulse(self) -> Path:
        """What this machine's (or container's) worker touches while it lives."""
        return self.path / f"worker-{socket.gethostname()}.pulse"

    def load_secret(self, name: str) -> str:
        """The generated secret of that name, made on first use. Raises SetupError."""
        try:
            return _load_or_make_secret(self.path / name)
        except OSError as error:
            raise SetupError(
                f"LETTERBOX_DATA_DIR: {self.path / name} cannot be read or made ({error.strerror})"
            ) from None

    def lock(self) -> int:
        """Hold the folder against a second process until this one ends.

        Returns the descriptor to keep. Raises SetupError where another process holds it.
        """
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise SetupError(
                f"another letterbox is running on {self.path}: end it first, or set"
                " LETTERBOX_DATABASE_URL to a PostgreSQL server, which many can share"
            ) from None
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
