"""Copies of a whole database: SQLite's by its online backup, PostgreSQL's by its own tools."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from app.domain.errors import SetupError
from app.storage.db.sqlite.engine import make_private

# Where Debian keeps each release's tools; the newest can read every older server.
_DEBIAN = Path("/usr/lib/postgresql")
# What only the driver knows by that name.
_LIBPQ = {"database": "dbname"}
_COMMON = ("--no-owner", "--no-privileges", "--no-comments")


def copy_sqlite(path: Path, target: Path) -> None:
    """All that is committed now, as one file, while others read and write.

    Read-only: a connection that may write would make a checkpoint when it is closed.
    """
    make_private(target)
    source = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)
    with closing(source), closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
        # A copy of a file in WAL mode would grow files beside it whenever somebody looks at it.
        copy.execute("PRAGMA journal_mode = DELETE")


def find_sqlite_damage(path: Path) -> str | None:
    """What a complete check of a file finds; None: it is sound."""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as connection:
            [found] = connection.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.Error as error:
        return str(error)
    return None if found == "ok" else " ".join(str(found).split())


def dump_postgres(url: str, target: Path) -> None:
    """One snapshot in pg_dump's custom format. Raises SetupError, which says what went wrong."""
    make_private(target)
    _run("pg_dump", ["--format=custom", *_COMMON, f"--file={target}", *_name(url)], url)


def check_postgres_dump(path: Path) -> None:
    """Raises SetupError where pg_restore cannot read the whole file."""
    _run("pg_restore", [f"--file={os.devnull}", str(path)])


def load_postgres(url: str, dump: Path, then: str) -> None:
    """Load a dump into an empty database, and run the SQL `then` in the same transaction.

    Raises SetupError; nothing is loaded then.
    """
    script = dump.with_suffix(".sql")
    make_private(script)
    _run("pg_restore", [*_COMMON, f"--file={script}", str(dump)])
    with script.open("a") as file:
        file.write(f"\nRESET search_path;\n{then}\n")
    arguments = ["--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1"]
    _run("psql", [*arguments, f"--file={script}", *_name(url)], url)
    script.unlink()


def _name(url: str) -> list[str]:
    """The database, without its password: everybody sees the arguments of a process."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    given = parse_qsl(parts.query.replace("+", "%2B"))
    query = [(_LIBPQ.get(name, name), value) for name, value in given if name != "password"]
    netloc = f"{user.partition(':')[0]}{at}{host}"
    # libpq takes a + for itself.
    written = urlencode(query, quote_via=quote)
    named = parts._replace(scheme="postgresql", netloc=netloc, query=written)
    return [f"--dbname={urlunsplit(named)}"]


def _find_password(url: str) -> Mapping[str, str]:
    parts = urlsplit(url)
    given = dict(parse_qsl(parts.query.replace("+", "%2B"))).get("password")
    password = given or unquote(parts.netloc.rpartition("@")[0].partition(":")[2])
    return {"PGPASSWORD": password} if password else {}


def _run(tool: str, arguments: Sequence[str], url: str = "") -> None:
    done = subprocess.run(  # noqa: S603 the tool is PostgreSQL's, and no shell is involved
        [_find_tool(tool), *arguments],
        env={**os.environ, **_find_password(url), "PGCONNECT_TIMEOUT": "10"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise SetupError(f"{tool} failed: {said[0] if said else f'exit status {done.returncode}'}")


def _find_tool(name: str) -> str:
    found = sorted(_DEBIAN.glob(f"*/bin/{name}"), key=lambda each: _read_release(each.parts[-3]))
    tool = str(found[-1]) if found else shutil.which(name)
    if tool is None:
        raise SetupError(
            f"{name} is not installed: install PostgreSQL's client programs, of the server's"
            " release or a newer one (Debian's package postgresql-client)"
        )
    return tool


def _read_release(name: str) -> float:
    try:
        return float(name)
    except ValueError:
        return 0.0
