"""Takes an erased number out of opt-outs and rules."""

from sqlalchemy import Connection, delete, update

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
from app.storage.rules.rules import lock_rules
from app.storage.tables.rules import opt_outs, rules

_CONDITIONS = ("dest", "keyword", "contains", "pattern", "source_prefix", "source")


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


def erase_in_rule(conn: Connection, key: Key, erasing: Erasing) -> Done:
    """Redact a rule; one whose conditions named the number is disabled."""
    lock_rules(conn)
    row = read_row(conn, rules, key)
    if row is None:
        return None
    more = {"enabled": False} if is_named_by(row, erasing.forms, *_CONDITIONS) else {}
    return redact_row(conn, rules, key, erasing, PLAIN_ERASED, **more)
