"""All the columns in which somebody's number may stand.

Every column of text, JSON or bytes is such a place unless NO_PLACES says why not: a new one cannot
be forgotten. An export shows what is in the places; an erasure looks into the others as well.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, LargeBinary, MetaData, Text
from sqlalchemy import Table as Table

from app.storage import tables as tables  # registers all of them
from app.storage.db.columns import metadata as metadata

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

# PostgreSQL's indexes of words are tables of their own. SQLite's are no text, and are merged when
# something is erased: see storage/outbound/erasing.py.
_indexes = MetaData()
_SEARCH_TABLES = tuple(
    Table(name, _indexes, Column(key, BigInteger, primary_key=True), Column("folded", Text))
    for name, key in (("message_search", "message_id"), ("outbound_search", "outbound_id"))
)


def list_tables(dialect: str) -> list[Table]:
    """Every table with a column that could hold a number, texts and messages first."""
    tables = [each for each in metadata.sorted_tables if list_columns(each)]
    if dialect == "postgresql":
        tables += _SEARCH_TABLES
    first = ("outbound", "messages")
    return sorted(tables, key=lambda each: first.index(each.name) if each.name in first else 2)


def list_columns(table: Table) -> list[Column[Any]]:
    """All columns of text, JSON or bytes, places or not."""
    return [each for each in table.c if isinstance(each.type, Text | JSON | LargeBinary)]


def list_places(table: Table) -> list[Column[Any]]:
    """Those columns of a table in which a number may stand."""
    return [each for each in list_columns(table) if f"{table.name}.{each.name}" not in NO_PLACES]
