"""What the outbox needs to know of opt-outs: who wants no text, and whom the provider refuses."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, select

from app.domain.messages import make_number_key
from app.storage.outbound_tables import opt_outs
from app.storage.upserts import make_insert


def find_opted_out(conn: Connection, numbers: Sequence[str]) -> set[str]:
    """Those of the numbers that want no text from any of ours."""
    keys = {make_number_key(number): number for number in numbers}
    if not keys:
        return set()
    query = select(opt_outs.c.number_key).where(
        opt_outs.c.number_key.in_(keys), opt_outs.c.is_out.is_(True)
    )
    return {keys[key] for key in conn.execute(query).scalars()}


def note_refused_number(conn: Connection, number: str, text: str, now: datetime) -> None:
    """The provider has the number on its blacklist; `text` is its answer."""
    statement = make_insert(conn, opt_outs).values(
        number_key=make_number_key(number),
        number=number,
        is_out=True,
        reason="provider",
        text=text,
        created_at=now,
    )
    new = statement.excluded
    conn.execute(
        statement.on_conflict_do_update(
            index_elements=["number_key"],
            set_={
                "is_out": new.is_out,
                "reason": new.reason,
                "text": new.text,
                "message_id": None,
                "created_at": new.created_at,
            },
            where=opt_outs.c.is_out.is_(False),
        )
    )
