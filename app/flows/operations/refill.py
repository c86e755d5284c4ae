"""Updates what older releases stored, in small steps."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from app.domain.errors import Conflict, NotFound
from app.domain.numbers import normalise_number
from app.domain.rules.answering import ReplyLimits
from app.flows.inbound.replay import replay_message
from app.storage.db.database import Connection, Database
from app.storage.inbound.rewriting import refills
from app.storage.operations.events import add_events
from app.storage.outbound.text_search import refill_index

WHO = "letterbox:upgrade"


async def refill(
    database: Database,
    *,
    zone: ZoneInfo,
    region: str,
    limits: ReplyLimits,
    now: Callable[[], datetime],
) -> bool:
    """Take one bounded step; returns False if nothing is left.

    Opt-outs come first, because nobody who refused may be texted. Then the messages of
    conversations whose numbers are now read differently are replayed, so that an opt-out among them
    takes effect.
    """
    read = partial(normalise_number, region=region)
    cancelled = await database.write(_correct_opt_outs, read, now())
    if cancelled is not None:
        return True
    misread = await database.read(refills.find_misread, read)
    if misread is not None:
        for message_id in misread.ids:
            with suppress(NotFound, Conflict):  # removed in the meantime
                await replay_message(
                    database,
                    message_id,
                    zone=zone,
                    region=region,
                    limits=limits,
                    who=WHO,
                    now=now(),
                )
        await database.write(refills.note_moved, misread)
        return True
    unfolded = await database.read(refills.find_unfolded)
    if unfolded is not None:
        await database.write(refills.refold, unfolded)
        return True
    if await database.write(refills.index_provider_ids):
        return True
    return await database.write(refill_index)


def _correct_opt_outs(
    conn: Connection, read: Callable[[str], str], now: datetime
) -> list[int] | None:
    cancelled = refills.correct_opt_outs(conn, read)
    if cancelled:
        add_events(conn, [("status", each) for each in cancelled], now)
    return cancelled
