"""Opt-outs found by a part of the number, or by the name of whom it belongs to."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from app.domain.keywords import fold_text
from app.storage.conversations.people import name_numbers
from app.storage.rules.opt_outs import OptOut, list_opt_outs

# A request reads at most this many opt-outs, then returns where the next one continues.
WALK_ROWS = 5_000
WINDOW_ROWS = 500


@dataclass(frozen=True, slots=True)
class OptOutPage:
    """Opt-outs with the names that are known of their numbers; `next` is the next page's `before`,
    None at the end.
    """

    rows: list[OptOut]
    names: dict[str, str]
    next: int | None


def search_opt_outs(
    conn: Connection, words: Sequence[str], *, digits: str, before: int | None, limit: int
) -> OptOutPage:
    """Newest first: whose number holds the digits, or whose number or name every folded word.

    Does bounded work, so a page may be short or empty while `next` is not None. Without words all.
    """
    # Whoever looks for the whole of an erased number knows it.
    erased = {each.id: each for each in list_opt_outs(conn, number=digits, before=before, limit=1)}
    found: list[OptOut] = []
    names: dict[str, str] = {}
    for _ in range(WALK_ROWS // WINDOW_ROWS):
        rows = list_opt_outs(conn, before=before, limit=WINDOW_ROWS if words else limit + 1)
        if digits:
            rows = [erased.get(row.id, row) for row in rows]
        known = name_numbers(conn, [row.number for row in rows])
        for row in rows:
            name = known.get(row.number, "")
            if not _matches(row.number, name, words, digits):
                continue
            if len(found) == limit:
                return OptOutPage(found, names, found[-1].id)
            found.append(row)
            names[row.number] = name
        if len(rows) < (WINDOW_ROWS if words else limit + 1):
            return OptOutPage(found, names, None)
        before = rows[-1].id
    return OptOutPage(found, names, before)


def _matches(number: str, name: str, words: Sequence[str], digits: str) -> bool:
    folded = fold_text(f"{name} {number}")
    return bool(digits and digits in number) or all(word in folded for word in words)
