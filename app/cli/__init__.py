"""The command `letterbox`: thin commands over the flows; every user's error is one line."""

import errno
import io
import os
import sys

from app.cli.commands import app
from app.domain.errors import LetterboxError

# What a redirected stdout may meet, on whatever disk it lies.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def main() -> None:
    """Exit status 0 done, 1 failed with one line on stderr, 2 wrong usage."""
    _open_missing_streams()
    _prepare_stdout()
    try:
        app()
    except LetterboxError as error:
        print(f"letterbox: {error}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        print(f"letterbox: {place}{error.strerror or error}", file=sys.stderr)
        if error.errno in _FULL:
            # What did not get out is still buffered: the interpreter would try again at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _open_missing_streams() -> None:
    """Opens a stream that the parent closed on /dev/null, so that no other file takes its place."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115, PTH123 until the end


def _prepare_stdout() -> None:
    """Programs get UTF-8 whatever the locale; a terminal that cannot show é shows `\\xe9`."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        if sys.stdout.isatty():
            sys.stdout.reconfigure(errors="backslashreplace")
        else:
            sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
