"""Imports contacts some lines at a time, so that people see the progress and can resume it."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from app.domain.errors import Conflict, LetterboxError, Unavailable
from app.flows.conversations.import_contacts import import_contacts, read_contacts
from app.provider.client import ProviderClient
from app.storage.access.audit import add_audit
from app.storage.conversations import contact_imports
from app.storage.conversations.contact_imports import ContactImport, LineResult
from app.storage.db.database import Connection, Database
from app.storage.operations.idempotency import IdempotencyKey, keep_answer, lock_key

STEP_LINES = 25
NO_RESULT = ("Unknown", "the provider gave no result for this line")
# Longer than the slowest call; after it an import whose process died can be resumed.
LEASE = timedelta(seconds=90)

log = structlog.get_logger("letterbox.import")


@dataclass(frozen=True, slots=True)
class Started:
    """The id of an import; `is_new` if it has just been created."""

    id: int
    is_new: bool


async def start_import(
    database: Database,
    data: bytes,
    idempotency_key: IdempotencyKey | None,
    *,
    ignore_duplicates: bool,
    overwrite_duplicates: bool,
    region: str,
    who: str,
    now: datetime,
) -> Started:
    """Store the contacts of a CSV for import; the same request again finds that import.

    Raises InvalidInput, and InFlight if the first request is not done yet.
    """
    contacts = read_contacts(data, region)

    def start(conn: Connection) -> Started:
        known = None if idempotency_key is None else lock_key(conn, idempotency_key, now)
        if known is not None:
            return Started(known["id"], is_new=False)
        import_id = contact_imports.add_import(
            conn,
            who,
            contacts,
            ignore_duplicates=ignore_duplicates,
            overwrite_duplicates=overwrite_duplicates,
            now=now,
        )
        add_audit(conn, who, "contacts.import", str(import_id), {"lines": len(contacts)}, now)
        if idempotency_key is not None:
            keep_answer(conn, idempotency_key, {"id": import_id}, now)
        return Started(import_id, is_new=True)

    return await database.write(start)


async def claim_import(database: Database, import_id: int, *, now: datetime) -> ContactImport:
    """Claim an import to run it. Raises NotFound, and Conflict if there is nothing to do."""
    return await database.write(contact_imports.claim_import, import_id, now=now, lease=LEASE)


async def run_import(
    database: Database,
    client: ProviderClient,
    claimed: ContactImport,
    *,
    now: Callable[[], datetime],
) -> None:
    """Send the waiting lines to the provider step by step, until none is left, a call fails, or
    another process takes the claim.

    After a failure the step's lines keep waiting: any that the provider did accept then come back
    as duplicates.
    """
    found = claimed
    try:
        while found.waiting:
            results = await _send_lines(client, found)
            found = await database.write(
                contact_imports.add_results, found, results, now=now(), lease=LEASE
            )
    except Conflict as error:
        log.warning("import_left", id=found.id, error=str(error))
    except LetterboxError as error:
        log.warning("import_stopped", id=found.id, error=str(error))
        await _stop(database, found, str(error))
    except Exception as error:
        log.exception("import_stopped", id=found.id)
        await _stop(database, found, f"an unexpected error ({type(error).__name__})")


async def _stop(database: Database, found: ContactImport, reason: str) -> None:
    # If the database is unavailable, the lease ends instead.
    with suppress(Unavailable, Conflict):
        await database.write(contact_imports.stop_import, found, reason)


async def _send_lines(client: ProviderClient, found: ContactImport) -> list[LineResult]:
    """The provider's results for the next lines; a line without one gets NO_RESULT."""
    sent = found.waiting[:STEP_LINES]
    results = await import_contacts(
        client,
        sent,
        ignore_duplicates=found.ignore_duplicates,
        overwrite_duplicates=found.overwrite_duplicates,
    )
    by_line = {each.line: LineResult(each.line, each.result, each.detail) for each in results}
    return [by_line.get(each.line, LineResult(each.line, *NO_RESULT)) for each in sent]
