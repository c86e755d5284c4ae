"""Cancels a text that has not gone out, here or at the provider."""

from collections.abc import Callable, Sequence
from datetime import datetime

from app.domain.errors import Conflict
from app.domain.provider_errors import CodeError
from app.provider.client import ProviderClient
from app.provider.codes import UNKNOWN_MESSAGE
from app.storage.access.audit import add_audit
from app.storage.db.database import Connection, Database
from app.storage.outbound.cancellations import Scheduled, cancel_waiting, note_cancelled
from app.storage.outbound.texts import OutboundText, get_outbound


async def cancel_text(
    database: Database,
    get_client: Callable[[], ProviderClient],
    outbound_id: int,
    *,
    who: str,
    now: datetime,
) -> OutboundText:
    """Returns the cancelled text; one that is cancelled already stays as it is.

    Raises NotFound, Conflict that says why it cannot be cancelled, and NoProvider or ProviderError
    if the provider has it: then it may be tried again.
    """

    def begin(conn: Connection) -> Scheduled | bool:
        done = cancel_waiting(conn, outbound_id, who, now)
        if done is True:
            add_audit(conn, who, "outbound.cancel", str(outbound_id), {}, now)
        return done

    def finish(conn: Connection) -> None:
        add_audit(conn, who, "outbound.cancel", str(outbound_id), {"at": "provider"}, now)
        note_cancelled(conn, outbound_id, who, now)

    done = await database.write(begin)
    if isinstance(done, Scheduled):
        await _cancel_there(get_client(), done.provider_ids)
        await database.write(finish)
    return await database.read(get_outbound, outbound_id)


async def _cancel_there(client: ProviderClient, provider_ids: Sequence[str]) -> None:
    """Cancel each part; the provider may cancel the others with it, and then not know them."""
    cancelled = 0
    for provider_id in provider_ids:
        try:
            await client.cancel_message(provider_id)
        except CodeError as error:
            if error.code != UNKNOWN_MESSAGE:
                raise
        else:
            cancelled += 1
    if not cancelled:
        raise Conflict("the provider keeps no such text any more: it has sent or cancelled it")
