"""Takes an erased number out of opt-outs, rules, and what answers by our numbers."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, delete, update

from app.domain.inbound.messages import StoredMessage
from app.domain.keywords import split_words
from app.domain.numbers import is_full_number
from app.domain.rules.answering import find_refused_at
from app.domain.rules.opt_outs import Intent, OptOutState, find_intent
from app.domain.rules.refusals.recognising import read_refusal
from app.domain.rules.rules import list_keywords
from app.domain.written_numbers import PLAIN_ERASED
from app.storage.db.key_walks import Key
from app.storage.operations.erasures.erasures import digest_number
from app.storage.operations.erasures.redaction import (
    Done,
    Erasing,
    is_named_by,
    read_row,
    redact_row,
    remove_row,
)
from app.storage.rules.opt_outs import keep_opt_out
from app.storage.rules.rules import lock_rules, read_rules
from app.storage.tables.access import numbers
from app.storage.tables.rules import opt_outs, rules

# All but its name: without the number it would match, or say, something else.
_WORKING = ("dest", "keyword", "contains", "pattern", "source_prefix", "source", "reply")


def erase_opt_out(conn: Connection, key: Key, erasing: Erasing) -> Done:
    """Keep only a keyed digest of a number that is out; nothing of one that is in again."""
    row = read_row(conn, opt_outs, key)
    if row is None:
        return None
    if not is_named_by(row, erasing.forms, "number", "number_key"):
        return redact_row(conn, opt_outs, key, erasing)
    if not row.is_out:
        return remove_row(conn, opt_outs, key)
    digest = digest_number(conn, erasing.forms.number)
    if digest is None:
        raise RuntimeError("the key of erased numbers is not loaded")
    conn.execute(delete(opt_outs).where(opt_outs.c.number_key == digest))
    kept = {"number": "", "number_key": digest, "text": "", "message_id": None}
    conn.execute(update(opt_outs).where(opt_outs.c.id == row.id).values(kept))
    return "changed"


def keep_stops(conn: Connection, texts: Iterable[StoredMessage]) -> None:
    """Let the opt-outs hold of texts that are about to be removed before they are handled."""
    for text in texts:
        names = frozenset(split_words(text.merge_fields.get("name", "")))
        reading = read_refusal(text.body, names) if is_full_number(text.source) else None
        if reading is None:
            continue
        owned = list_keywords(read_rules(conn), text.dest, text.arrived_at)
        said_at = find_refused_at(text)
        intent = find_intent(reading, text.body, said_at=said_at, owned=owned, last=None)
        if intent is Intent.OUT:
            keep_opt_out(conn, text.source, OptOutState(True, "keyword", said_at, 0))


def erase_in_rule(conn: Connection, key: Key, erasing: Erasing) -> Done:
    """Redact a rule; one whose conditions or reply named the number is disabled."""
    lock_rules(conn)
    row = read_row(conn, rules, key)
    if row is None:
        return None
    more = {"enabled": False} if is_named_by(row, erasing.forms, *_WORKING) else {}
    return redact_row(conn, rules, key, erasing, PLAIN_ERASED, **more)


def erase_in_number(conn: Connection, key: Key, erasing: Erasing) -> Done:
    """Redact one of our numbers, which confirms opt-outs no more where its reply named the number.

    Whoever answers reads our numbers again after a change of rules.
    """
    lock_rules(conn)
    row = read_row(conn, numbers, key)
    if row is None:
        return None
    is_named = is_named_by(row, erasing.forms, "opt_out_reply")
    more: dict[str, Any] = {"opt_out_reply": None} if is_named else {}
    return redact_row(conn, numbers, key, erasing, **more)
