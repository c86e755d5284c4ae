"""The tables of webhooks: the endpoints, and what was or is to be delivered to them."""

from sqlalchemy import JSON, Boolean, Column, Index, Integer, LargeBinary, Table, Text

from app.storage.db.columns import BigId, UtcTime, add_partial_index, make_id, metadata

# One row for each endpoint. The process that holds its lease delivers to it.
webhooks = Table(
    "webhooks",
    metadata,
    make_id(),
    Column("url", Text, nullable=False),
    Column("types", Text, nullable=False, comment="separated by spaces"),
    Column("numbers", JSON, nullable=False, comment="our numbers; empty for all"),
    Column("ordered", Boolean, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("salt", LargeBinary, nullable=False, comment="its secret is derived from this"),
    Column("secret_digest", LargeBinary, nullable=False),
    Column("old_salt", LargeBinary),
    Column("old_salt_until", UtcTime),
    Column("position", BigId, nullable=False, comment="events up to this one are dealt with"),
    Column("revision", Integer, nullable=False, comment="counts changes by people"),
    Column("holder", Text),
    Column("lease_until", UtcTime),
    Column("failing_since", UtcTime, comment="the first failure since the last success"),
    Column("resume_at", UtcTime, comment="it asked to be left alone until then"),
    Column("disabled_at", UtcTime),
    Column("disabled_reason", Text),
    Column("last_message_id", Text, comment="of the newest attempt"),
    sqlite_autoincrement=True,
)

# What was attempted, and what waits for another attempt. What has not been attempted yet is only in
# the events, beyond the endpoint's position.
webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    make_id(),
    Column("webhook_id", BigId, nullable=False),
    Column("message_id", Text, nullable=False, comment="the header webhook-id"),
    Column("event_id", BigId, nullable=False, comment="0 for a test"),
    Column("type", Text, nullable=False),
    Column("order_key", Text, nullable=False, comment="what is kept in order"),
    Column("body", Text, nullable=False),
    Column("state", Text, nullable=False, comment="waiting, delivered or failed"),
    Column("attempts", Integer, nullable=False),
    Column("happened_at", UtcTime, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("attempted_at", UtcTime),
    Column("due_at", UtcTime),
    Column("status", Integer, comment="the HTTP status of the last answer"),
    Column("answer", Text, nullable=False, comment="the beginning of its body"),
    Column("error", Text, nullable=False),
    Column("milliseconds", Integer, comment="how long the last attempt took"),
    Index("webhook_deliveries_message_idx", "webhook_id", "message_id", unique=True),
    Index("webhook_deliveries_state_idx", "webhook_id", "state", "id"),
    Index("webhook_deliveries_newest_idx", "webhook_id", "id"),
    sqlite_autoincrement=True,
)
add_partial_index(
    "webhook_deliveries_due_idx",
    webhook_deliveries,
    ["webhook_id", "due_at"],
    "state = 'waiting'",
)
add_partial_index(
    "webhook_deliveries_order_idx",
    webhook_deliveries,
    ["webhook_id", "order_key", "event_id", "id"],
    "state = 'waiting'",
)
