"""Places in lists: where one goes on, as numbers with dots between."""

from datetime import datetime

from app.domain.ids import LAST_ID
from app.domain.times import from_microseconds, to_microseconds

TimePlace = tuple[datetime, int]

# So many digits has the largest id.
_MOST_DIGITS = len(str(LAST_ID))


def write_place(place: int | tuple[datetime | int, ...]) -> str:
    """A place in the order of one id, of several, or of a time and an id."""
    parts = place if isinstance(place, tuple) else (place,)
    numbers = (to_microseconds(each) if isinstance(each, datetime) else each for each in parts)
    return ".".join(map(str, numbers))


def read_id_place(text: str) -> int | None:
    """None for whatever `write_place` did not make of one id."""
    found = _read(text, 1)
    return found[0] if found else None


def read_pair_place(text: str) -> tuple[int, int] | None:
    """None for whatever `write_place` did not make of two ids."""
    found = _read(text, 2)
    return (found[0], found[1]) if found else None


def read_thread_place(text: str) -> tuple[int, int, int] | None:
    """None for whatever `write_place` did not make of three ids."""
    found = _read(text, 3)
    return (found[0], found[1], found[2]) if found else None


def read_time_place(text: str) -> TimePlace | None:
    """None for whatever `write_place` did not make of a time and an id."""
    found = _read(text, 2)
    try:
        return (from_microseconds(found[0]), found[1]) if found else None
    except OverflowError:
        return None


def _read(text: str, length: int) -> list[int]:
    parts = text.split(".")
    if len(parts) != length or not all(map(_is_number, parts)):
        return []
    return [int(each) for each in parts]


def _is_number(text: str) -> bool:
    is_short = text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS
    return is_short and int(text) <= LAST_ID
