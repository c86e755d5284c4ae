"""Why SQLite does not do what it was asked to, and what to do: a line for an operator."""

import os
import sqlite3
from pathlib import Path

from app.storage.db.sqlite.engine import BUSY, read_code

_COPY = "name another one, or put back a copy of it"
_OWNER = "run this as the user that it and its folder belong to"
_ADVICE = {
    sqlite3.SQLITE_FULL: "make room on its disk",
    sqlite3.SQLITE_IOERR: "see whether its disk is full, and look at the system's log",
    sqlite3.SQLITE_READONLY: f"{_OWNER}, or make its disk writable",
    sqlite3.SQLITE_NOMEM: "end other programs, or give this one more memory",
    **dict.fromkeys(BUSY, "another program keeps it locked: end that, and try again"),
}


def explain(error: BaseException, path: Path) -> str:
    """`error` is the driver's or SQLAlchemy's."""
    code, said = read_code(error), getattr(error, "orig", error)
    advice = _ADVICE.get(code, _COPY)
    if code == sqlite3.SQLITE_CANTOPEN:
        advice = _advise_on_opening(path)
    return f"the SQLite file {path} cannot be used ({said}); {advice}"


def _advise_on_opening(path: Path) -> str:
    if not path.parent.is_dir():
        return f"create the folder {path.parent}, or name another file"
    usable = os.access(path.parent, os.R_OK | os.W_OK | os.X_OK)
    if not usable or (path.exists() and not os.access(path, os.R_OK | os.W_OK)):
        return _ADVICE[sqlite3.SQLITE_READONLY]
    return _COPY
