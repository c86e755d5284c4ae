"""Finds and marks texts that came twice: from the provider's report and as a forward."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, bindparam, exists, literal_column, select, update

from app.domain.inbound.duplicates import TOLERANCE
from app.domain.inbound.messages import StoredMessage
from app.storage.inbound.read_marks import mark_all_read
from app.storage.inbound.search import STORED_COLUMNS
from app.storage.tables.inbound import message_index, messages


def find_reported(
    conn: Connection, conversation_ids: Iterable[int], since: datetime
) -> list[StoredMessage]:
    """Texts of these conversations that the report brought and that no forward has repeated."""
    given = {"conversations": sorted(conversation_ids), "since": since - TOLERANCE}
    return [StoredMessage(*row) for row in conn.execute(_select_reported(), given)]


@cache
def _select_reported() -> Select[Any]:
    forward = messages.alias()
    return _select_candidates().where(
        message_index.c.via == literal_column("'report'"),  # as the partial index has it
        messages.c.received_at >= bindparam("since"),
        ~exists().where(forward.c.duplicate_of == messages.c.id),
    )


def find_forwarded(
    conn: Connection, conversation_ids: Iterable[int], after: int
) -> list[StoredMessage]:
    """Handled forwards with larger ids; another worker may have handled one before its report."""
    query = _select_candidates().where(
        message_index.c.message_id > after,
        message_index.c.via != "report",
        messages.c.handled_at.is_not(None),
        messages.c.duplicate_of.is_(None),
    )
    given = {"conversations": sorted(conversation_ids)}
    return [StoredMessage(*row) for row in conn.execute(query, given)]


def note_duplicates(conn: Connection, duplicates: Mapping[int, int], now: datetime) -> None:
    """Note which text each forward repeats (by ids), and do not count it as unread again."""
    for forward_id, report_id in sorted(duplicates.items()):
        mine = messages.c.id == forward_id
        conn.execute(update(messages).where(mine).values(duplicate_of=report_id))
    mark_all_read(conn, list(duplicates), now)


def _select_candidates() -> Select[Any]:
    return (
        select(*STORED_COLUMNS)
        .join(message_index, messages.c.id == message_index.c.message_id)
        .where(message_index.c.conversation_id.in_(bindparam("conversations", expanding=True)))
    )
