"""Reads `.env` as shells do: `${NAME}` in single quotes is not a variable."""

import re
from collections.abc import Mapping
from pathlib import Path

from dotenv.parser import parse_stream
from dotenv.variables import parse_variables

# The library also replaces variables in single quotes.
_IN_SINGLE_QUOTES = re.compile(r"[^=]*=\s*'")


class EnvFileError(Exception):
    """A line that is not NAME=value."""


def read_env_file(path: Path, environment: Mapping[str, str]) -> dict[str, str | None]:
    """The values by name; none where there is no such file.

    Variables come from the file's earlier lines, else from `environment`. Raises OSError,
    UnicodeDecodeError and EnvFileError.
    """
    values: dict[str, str | None] = {}
    if not path.is_file() and not path.is_fifo():
        return values
    # Some editors begin a file with a byte order mark, which is not part of the first name.
    with path.open(encoding="utf-8-sig") as lines:
        for binding in parse_stream(lines):
            if binding.error:
                raise EnvFileError(
                    f"line {binding.original.line} is not NAME=value; close the quotes in it"
                )
            value = binding.value
            if value and not _IN_SINGLE_QUOTES.match(binding.original.string):
                known = {**environment, **values}
                value = "".join(atom.resolve(known) for atom in parse_variables(value))
            if binding.key is not None:
                values[binding.key] = value
    return values
