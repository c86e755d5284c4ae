"""The command `letterbox`: thin commands over the flows; every user's error is one line."""

import errno
import os
import sys

from app.cli.commands import app
from app.domain.errors import LetterboxError

# What a redirected stdout may meet, on whatever disk it lies.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def main() -> None:
    """Exit status 0 done, 1 failed with one line on stderr, 2 wrong usage."""
    try:
        app()
    except LetterboxError as error:
        print(f"letterbox: {error}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        if error.errno not in _FULL:
            raise
        print(f"letterbox: {error.strerror}", file=sys.stderr)
        # What did not get out is still buffered: the interpreter's end would try again, and say so.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
