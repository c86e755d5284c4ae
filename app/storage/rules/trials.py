"""The texts over which a draft of a rule is tried."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from app.storage.tables.inbound import messages


@dataclass(frozen=True, slots=True)
class PastText:
    """A message as far as its answer depends on it; `problems` are codes with a space between."""

    id: int
    source: str
    dest: str
    body: str
    received_at: datetime
    arrived_at: datetime
    via: str
    merge_fields: Mapping[str, str]
    problems: str


def list_newest_texts(conn: Connection, *, limit: int) -> list[PastText]:
    """The newest texts, oldest first, without those that only repeat one from the report."""
    query = (
        select(
            messages.c.id,
            messages.c.source,
            messages.c.dest,
            messages.c.body,
            messages.c.received_at,
            messages.c.arrived_at,
            messages.c.via,
            messages.c.merge_fields,
            messages.c.problems,
        )
        .where(messages.c.duplicate_of.is_(None))
        .order_by(messages.c.id.desc())
        .limit(limit)
    )
    return [PastText(*row) for row in reversed(conn.execute(query).all())]
