"""Takes a number out of every row of the database, in small steps, and looks again."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.storage.conversations.erasing import erase_contact, erase_conversation, erase_person
from app.storage.db.database import Connection, Database
from app.storage.db.key_walks import Key, get_key
from app.storage.inbound.erasing import erase_message
from app.storage.operations.erasing import erase_in_alert
from app.storage.operations.erasures.erasures import note_removed
from app.storage.operations.erasures.redaction import Done, Erasing, redact_row
from app.storage.operations.personal_data.number_walk import Window, list_others, look_through
from app.storage.operations.personal_data.places import list_columns, list_tables
from app.storage.outbound.erasing import erase_batch_row, erase_in_batch, erase_text
from app.storage.rules.erasing import erase_in_number, erase_in_rule, erase_opt_out
from app.storage.webhooks.erasing import erase_delivery, erase_in_webhook

# On SQLite nobody else can write during a step.
STEP_ROWS = 20
LONGEST_REST_SECONDS = 0.2

Clean = Callable[[Connection, Key, Erasing], Done]
# How rows are cleaned whose number is more than a word in a text; others are only redacted.
CLEANERS: Mapping[str, Clean] = {
    "messages": erase_message,
    "outbound": erase_text,
    "batches": erase_in_batch,
    "batch_rows": erase_batch_row,
    "conversations": erase_conversation,
    "people": erase_person,
    "contact_imports": erase_contact,
    "opt_outs": erase_opt_out,
    "rules": erase_in_rule,
    "numbers": erase_in_number,
    "alerts": erase_in_alert,
    "webhook_deliveries": erase_delivery,
    "webhooks": erase_in_webhook,
}


@dataclass
class Pass:
    """One look through all rows: `hits` had the number in them, by table, before they were cleaned.

    `others` are other numbers with the same digits in them.
    """

    tables: int = 0
    columns: int = 0
    rows: int = 0
    hits: dict[str, int] = field(default_factory=dict)
    others: set[bytes] = field(default_factory=set)


async def clean_rows(
    database: Database, erasure_id: int, erasing: Erasing, on_step: Callable[[], None]
) -> Pass:
    """One pass: whatever it finds is cleaned, or has to wait for the next one."""
    found = Pass()
    for table in list_tables(database.dialect):
        found.tables += 1
        found.columns += len(list_columns(table))
        after: Key | None = None
        while True:
            window, others = await database.read(_look, table, erasing, after)
            found.rows += len(window.rows)
            found.others |= others
            hits = [get_key(table, each.row) for each in window.found]
            if hits:
                found.hits[table.name] = found.hits.get(table.name, 0) + len(hits)
            for first in range(0, len(hits), STEP_ROWS):
                some = hits[first : first + STEP_ROWS]
                await _take_step(database, erasure_id, table, some, erasing)
            on_step()
            after = window.last
            if after is None:
                break
    return found


def _look(
    conn: Connection, table: Any, erasing: Erasing, after: Key | None
) -> tuple[Window, set[bytes]]:
    """Digests are looked at as well, and so are columns where no number should be."""
    columns = list_columns(table)
    window = look_through(conn, table, columns, erasing.forms, after)
    return window, list_others(window, columns, erasing.forms)


async def _take_step(
    database: Database, erasure_id: int, table: Any, keys: Sequence[Key], erasing: Erasing
) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    await database.write(_clean, erasure_id, table, keys, erasing)
    await asyncio.sleep(min(loop.time() - began, LONGEST_REST_SECONDS))


def _clean(
    conn: Connection, erasure_id: int, table: Any, keys: Sequence[Key], erasing: Erasing
) -> None:
    clean = CLEANERS.get(table.name)
    counts: dict[str, int] = {}
    for key in keys:
        if clean is not None:
            done = clean(conn, key, erasing)
        elif table.name == "members":
            # Their names have to differ.
            done = redact_row(conn, table, key, erasing, f"[erased {key[0]}]")
        else:
            done = redact_row(conn, table, key, erasing)
        if done is not None:
            counts[done] = counts.get(done, 0) + 1
    note_removed(conn, erasure_id, {table.name: counts} if counts else {})
