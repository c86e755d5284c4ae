"""All the places in the database where somebody's number may stand, and what belongs to it.

Every column of texts is such a place unless NO_PLACES says why not: a new one cannot be forgotten.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    LargeBinary,
    Row,
    Text,
    cast,
    false,
    func,
    or_,
    select,
)
from sqlalchemy import Table as Table

from app.domain.inbound.messages import RawForward, make_number_key
from app.domain.written_numbers import make_finder, make_like
from app.storage import tables as tables  # registers all of them
from app.storage.db.columns import metadata as metadata
from app.storage.db.key_walks import Key, find_key, is_up_to, select_after
from app.storage.tables.access import audit
from app.storage.tables.batches import batch_rows, batches
from app.storage.tables.conversations import conversation_notes, conversations, drafts, people
from app.storage.tables.inbound import message_index, messages, number_last_seen
from app.storage.tables.operations import daily_counts
from app.storage.tables.outbound import outbound, provider_messages, send_attempts, status_changes
from app.storage.tables.rules import opt_outs
from app.storage.tables.webhooks import webhook_deliveries

# So many rows are looked at in one read.
STEP = 1_000

_CODE = "one of a few codes"
_KEY = "a digest, which nobody can read; what it stands for is in the same row or message"
_HIDDEN = "a secret, or a digest of one"
_OWN = "bookkeeping of the service, which holds names of its own"
_TIME = "a time of day, a day or a zone"

# Columns of texts in which nobody's number stands, and why.
NO_PLACES: Mapping[str, str] = {
    "alerts.kind": _CODE,
    "api_keys.digest": _HIDDEN,
    "api_keys.scopes": _CODE,
    "audit.action": _CODE,
    "batch_rows.fault": _CODE,
    "batches.schedule_by": _CODE,
    "batches.state": _CODE,
    "conversations.dest_key": _KEY,
    "conversations.pair_key": _KEY,
    "conversations.source_key": _KEY,
    "conversations.state": _CODE,
    "daily_counts.day": _TIME,
    "daily_counts.name": _CODE,
    "daily_counts.number_key": _KEY,
    "erasures.number_digest": _HIDDEN,
    "erasures.obstacle": "what an erasure waits for, in our words",
    "erasures.removed": "counts by table",
    "erasures.scan": "counts, and names of our own files",
    "erasures.sealed": _HIDDEN,
    "erasures.tail": "the last three digits of a number that was erased",
    "events.kind": _CODE,
    "idempotency_keys.request_digest": _KEY,
    "index_progress.name": _OWN,
    "leases.holder": _OWN,
    "leases.name": _OWN,
    "login_links.digest": _HIDDEN,
    "login_links.kind": _CODE,
    "members.password_hash": _HIDDEN,
    "members.role": _CODE,
    "members.state": _CODE,
    "message_index.dest_key": _KEY,
    "message_index.identity_key": _KEY,
    "message_index.provider_key": _KEY,
    "message_index.source_key": _KEY,
    "message_index.via": _CODE,
    "messages.dedupe_key": _KEY,
    "messages.outcome": _CODE,
    "messages.problems": _CODE,
    "messages.via": _CODE,
    "notify_addresses.digest": _HIDDEN,
    "notify_addresses.kind": _CODE,
    "notify_addresses.quiet_from": _TIME,
    "notify_addresses.quiet_until": _TIME,
    "notify_addresses.sealed": _HIDDEN,
    "notify_addresses.source": _CODE,
    "notify_addresses.summary_at": _TIME,
    "notify_addresses.summary_on": _TIME,
    "notify_addresses.tail": "the last characters of an address: never a whole number",
    "notify_addresses.zone": _TIME,
    "number_auths.digest": _HIDDEN,
    "number_last_seen.dest_key": _KEY,
    "opt_outs.number_key": _KEY,
    "opt_outs.reason": _CODE,
    "outbound.held_reason": _CODE,
    "outbound.origin": _CODE,
    "outbound.pair_key": _KEY,
    "outbound.reference_key": _KEY,
    "outbound.schedule_by": _CODE,
    "outbound.source_key": _KEY,
    "outbound.status": _CODE,
    "outbound.to_key": _KEY,
    "people.number_key": _KEY,
    "people.search_text": "made of the name and number of the same row",
    "process_figures.figures": _OWN,
    "process_figures.process_id": _OWN,
    "processes.host": _OWN,
    "processes.id": _OWN,
    "processes.kind": _OWN,
    "provider_messages.status": _CODE,
    "refills.name": _OWN,
    "refusals.reason": _CODE,
    "revisions.name": _OWN,
    "rules.days": _TIME,
    "rules.from_time": _TIME,
    "rules.timezone": _TIME,
    "rules.to_time": _TIME,
    "send_attempts.code": _CODE,
    "send_attempts.error_class": _CODE,
    "send_attempts.outcome": _CODE,
    "sender.cause": _CODE,
    "sender.credits": "a count",
    "sender.state": _CODE,
    "sessions.digest": _HIDDEN,
    "sessions.proof": _HIDDEN,
    "shared_secrets.digest": _HIDDEN,
    "shared_secrets.name": _OWN,
    "shared_secrets.sealed": _HIDDEN,
    "sign_in_failures.who": _KEY,
    "status_changes.provider_status": _CODE,
    "status_changes.status": _CODE,
    "tombstones.digest": _HIDDEN,
    "tombstones.identity_digest": _HIDDEN,
    "tombstones.kind": _CODE,
    "tombstones.text_digest": _HIDDEN,
    "tombstones.via": _CODE,
    "webhook_deliveries.message_id": _OWN,
    "webhook_deliveries.order_key": _OWN,
    "webhook_deliveries.state": _CODE,
    "webhook_deliveries.type": _CODE,
    "webhooks.disabled_reason": _CODE,
    "webhooks.holder": _OWN,
    "webhooks.last_message_id": _OWN,
    "webhooks.old_salt": _HIDDEN,
    "webhooks.salt": _HIDDEN,
    "webhooks.secret_digest": _HIDDEN,
    "webhooks.types": _CODE,
    "webhooks.url": "where a program listens; may hold a secret",
}
# The indexes of words are no tables of `metadata`: what they hold is in messages and outbound.

_IS_OWN = "is_own_row"


@dataclass(frozen=True, slots=True)
class Found:
    """A row in which a number stands: its own, or one that only speaks of it in `columns`."""

    row: Row[Any]
    is_own: bool
    columns: tuple[str, ...]


def list_places(table: Table) -> list[str]:
    """The names of those columns of a table in which a number may stand."""
    return [
        column.name
        for column in table.c
        if isinstance(column.type, Text | JSON | LargeBinary)
        and f"{table.name}.{column.name}" not in NO_PLACES
    ]


def has_own(table: Table) -> bool:
    """Whether rows can belong to a number, rather than only speak of it."""
    return table.name in _list_own("")


def is_own(table: Table, number: str) -> ColumnElement[bool]:
    """Whether a row belongs to that number (in normal form): it is its text, person or history."""
    return _list_own(number).get(table.name, false())


def find_step(
    conn: Connection, table: Table, number: str, after: Key | None
) -> tuple[list[Found], Key | None]:
    """Those of the next STEP rows in which the number stands; and the key to go on from.

    None after the last row.
    """
    last = find_key(conn, table, after, STEP)
    own = is_own(table, number)
    may_have = [_is_like(conn, table, name, make_like(number)) for name in list_places(table)]
    query = select_after(table, after).add_columns(own.label(_IS_OWN))
    if last is not None:
        query = query.where(is_up_to(table, last))
    rows = conn.execute(query.where(or_(own, *may_have))).all()
    found = (_look(table, row, number) for row in rows)
    return [each for each in found if each.is_own or each.columns], last


def read_texts(table: Table, name: str, value: Any) -> str:
    """What a column holds, as one text in which a number can be found."""
    if isinstance(table.c[name].type, JSON):
        return "\n".join(walk_texts(value))
    if isinstance(value, bytes | memoryview):
        return "\n".join("=".join(pair) for pair in RawForward.from_bytes(bytes(value)).texts)
    return str(value or "")


def _list_own(number: str) -> dict[str, ColumnElement[bool]]:
    key = make_number_key(number)
    index, text, talk = message_index.c, outbound.c, conversations.c
    indexed = select(index.message_id).where((index.source_key == key) | (index.dest_key == key))
    unhandled = messages.c.handled_at.is_(None) & (
        (messages.c.source == number) | (messages.c.dest == number)
    )
    got = select(provider_messages.c.outbound_id).where(provider_messages.c.destination == number)
    is_text = (text.to_key == key) | (text.source_key == key)
    texts = select(text.id).where(is_text)
    is_talk = (talk.source_key == key) | (talk.dest_key == key)
    talks = select(talk.id).where(is_talk)
    rows = batch_rows.c
    is_row = (rows.number == number) | rows.outbound_id.in_(texts)
    of_texts = select(text.batch_id).where(is_text, text.batch_id.is_not(None))
    own_batches = of_texts.union(select(rows.batch_id).where(rows.number == number))
    named = {"outbound": texts, "message": indexed, "conversation": talks}
    ids = [
        audit.c.action.startswith(f"{subject}.")
        & audit.c.subject.in_(select(cast(some.subquery().c[0], Text)))
        for subject, some in named.items()
    ]
    return {
        "messages": messages.c.id.in_(indexed) | unhandled,
        "outbound": is_text | text.id.in_(got),
        "provider_messages": (provider_messages.c.destination == number)
        | provider_messages.c.outbound_id.in_(texts),
        "send_attempts": send_attempts.c.outbound_id.in_(texts),
        "status_changes": status_changes.c.outbound_id.in_(texts),
        "batches": batches.c.id.in_(own_batches),
        "batch_rows": is_row,
        "conversations": is_talk,
        "conversation_notes": conversation_notes.c.conversation_id.in_(talks),
        "drafts": drafts.c.conversation_id.in_(talks),
        "people": people.c.number_key == key,
        "opt_outs": opt_outs.c.number_key == key,
        # Our JSON, in which a text that only speaks of the number has more between the quotes.
        "webhook_deliveries": webhook_deliveries.c.body.contains(f'"{number}"', autoescape=True),
        "daily_counts": daily_counts.c.number_key == key,
        "number_last_seen": number_last_seen.c.dest_key == key,
        "audit": or_(*ids),
    }


def _look(table: Table, row: Row[Any], number: str) -> Found:
    finds = make_finder(number)
    named = row._mapping
    columns = [
        name for name in list_places(table) if finds(read_texts(table, name, named[table.c[name]]))
    ]
    return Found(row, bool(row._mapping[_IS_OWN]), tuple(columns))


def walk_texts(value: Any) -> Iterator[str]:
    """Every name and value in what a column of JSON holds."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield name
            yield from walk_texts(each)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for each in value:
            yield from walk_texts(each)
    elif value is not None:
        yield str(value)


def _is_like(conn: Connection, table: Table, name: str, pattern: str) -> ColumnElement[bool]:
    column = table.c[name]
    if isinstance(column.type, LargeBinary) and conn.dialect.name == "postgresql":
        return func.encode(column, "escape").ilike(pattern)
    return cast(column, Text).ilike(pattern)
