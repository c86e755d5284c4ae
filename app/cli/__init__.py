"""The command `letterbox`: thin commands over the flows; every user's error is one line."""

import sys

from app.cli.commands import app
from app.domain.errors import LetterboxError


def main() -> None:
    """Exit status 0 done, 1 failed with one line on stderr, 2 wrong usage."""
    try:
        app()
    except LetterboxError as error:
        print(f"letterbox: {error}", file=sys.stderr)
        sys.exit(1)
