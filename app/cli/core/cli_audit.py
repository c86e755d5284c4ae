"""Adds to the audit trail what a command did at the provider, which works without a database."""

from datetime import UTC, datetime
from typing import Any

import typer

from app.domain.errors import LetterboxError
from app.settings import load_settings


async def audit_action(action: str, subject: str, **detail: Any) -> None:
    """Record who did what; if that is impossible, say why on stderr and go on."""
    # Commands that only list things need no database.
    from app.cli.core.offline import find_actor, opening_database  # noqa: PLC0415 see above
    from app.storage.access.audit import add_audit  # noqa: PLC0415 see above

    try:
        async with opening_database(load_settings()) as database:
            now = datetime.now(UTC)
            await database.write(add_audit, find_actor(), action, subject, detail, now)
    except LetterboxError as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001 the action was done anyway
        reason = f"the database cannot be used ({type(error).__name__})"
    else:
        return
    typer.echo(f"letterbox: this is not in the audit trail: {reason}", err=True)
