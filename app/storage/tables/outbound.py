"""The tables of what goes out, and the conditions that match their partial indexes."""

from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ColumnElement,
    FromClause,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    literal_column,
)
from sqlalchemy import text as literal_text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from app.domain.outbound.states import WAITING, OutboundStatus
from app.storage.db.columns import BigId, UtcTime, add_partial_index, make_id, metadata

# The outbox, which is the queue as well. `pair_key` is that of source and recipient, whichever
# conversation the text belongs to; both are null for a list or group.
outbound = Table(
    "outbound",
    metadata,
    make_id(),
    Column("to_number", Text),
    Column("to_key", LargeBinary),
    Column("list_name", Text),
    Column("group_name", Text),
    Column("source", Text, nullable=False),
    Column("source_key", LargeBinary, nullable=False),
    Column("source_ton", Integer),
    Column("pair_key", LargeBinary),
    Column("conversation_id", BigId),
    Column("body", Text, nullable=False),
    Column("parts", Integer, nullable=False),
    Column("origin", Text, nullable=False, comment="person, rule or opt-out"),
    Column("in_reply_to", BigId),
    Column("rule_id", BigId),
    Column("batch_id", BigId),
    Column("batch_place", Integer, comment="its place in its batch, from 1"),
    Column(
        "priority",
        Integer,
        nullable=False,
        server_default=literal_text("1"),
        comment="0 answers by itself, 1 goes to one number, 2 is one of many",
    ),
    Column("forced", Boolean, nullable=False),
    Column("status", Text, nullable=False),
    Column("held_reason", Text),
    Column("provider_status", Text),
    Column("error_code", Text),
    Column("error_text", Text),
    Column("background_ids", JSON, nullable=False),
    Column("attempts", Integer, nullable=False, comment="also the fence of the attempt under way"),
    Column("schedule_at", UtcTime),
    Column("schedule_by", Text, comment="letterbox or provider, where it is scheduled"),
    Column("validity_seconds", Integer, nullable=False),
    Column("send_before", UtcTime),
    Column("due_at", UtcTime, nullable=False),
    Column("lease_until", UtcTime),
    Column("check_at", UtcTime, comment="when to ask again what became of it; null: never"),
    Column("check_error", Text, comment="why the last question about it has failed"),
    Column("absent_since", UtcTime, comment="when the report first proved an uncertain one absent"),
    Column("created_at", UtcTime, nullable=False),
    Column("sent_at", UtcTime),
    Column("settled_at", UtcTime),
    Column("settled_reason", Text),
    Column("reference", Text, comment="the program's own"),
    Column("reference_key", LargeBinary),
    Column("metadata", JSON),
    Column("attended_at", UtcTime, comment="when a person had dealt with its failure"),
    Index("outbound_status_idx", "status", "created_at", "id"),
    Index("outbound_to_idx", "to_key", "created_at", "id"),
    Index("outbound_source_idx", "source_key", "created_at", "id"),
    Index("outbound_created_idx", "created_at", "id"),
    Index("outbound_pair_idx", "pair_key", "id"),
    Index("outbound_conversation_idx", "conversation_id", "id"),
    Index("outbound_in_reply_to_idx", "in_reply_to"),
    sqlite_autoincrement=True,
)
add_partial_index(
    "outbound_rule_idx", outbound, ["rule_id", "created_at", "id"], "rule_id IS NOT NULL"
)
add_partial_index(
    "outbound_reference_idx",
    outbound,
    ["reference_key", "created_at", "id"],
    "reference_key IS NOT NULL",
)
add_partial_index("outbound_batch_idx", outbound, ["batch_id", "status"], "batch_id IS NOT NULL")
add_partial_index(
    "outbound_batch_created_idx",
    outbound,
    ["batch_id", "created_at", "id"],
    "batch_id IS NOT NULL",
)
# The list in which a batch is one row: its first text.
LEADS = "batch_place IS NULL OR batch_place = 1"
add_partial_index("outbound_leads_idx", outbound, ["created_at", "id"], LEADS)
add_partial_index(
    "outbound_scheduled_idx",
    outbound,
    ["schedule_at", "id"],
    "schedule_at IS NOT NULL AND batch_id IS NULL",
)
add_partial_index(
    "outbound_due_idx", outbound, ["priority", "due_at", "id"], "status IN ('queued', 'held')"
)
add_partial_index(
    "outbound_send_before_idx",
    outbound,
    ["send_before"],
    "send_before IS NOT NULL AND status IN ('queued', 'held')",
)
add_partial_index("outbound_lease_idx", outbound, ["lease_until"], "status = 'sending'")
add_partial_index(
    "outbound_check_idx", outbound, ["status", "check_at", "id"], "check_at IS NOT NULL"
)
add_partial_index("outbound_named_idx", outbound, ["id"], "to_number IS NULL")
# Two texts in flight to one number may look alike in the provider's report.
add_partial_index(
    "outbound_in_flight_idx",
    outbound,
    ["pair_key"],
    "status IN ('sending', 'uncertain')",
    unique=True,
)
add_partial_index(
    "outbound_reply_idx", outbound, ["in_reply_to"], "origin <> 'person'", unique=True
)
# Recent automatic replies of each conversation, for budgets and cooldowns.
add_partial_index(
    "outbound_automatic_idx", outbound, ["conversation_id", "created_at"], "origin <> 'person'"
)
# Texts that somebody should look at, as storage/conversations/attention.py says: those of a
# conversation, and the newest of all.
NEEDS_ATTENTION = (
    "attended_at IS NULL AND status IN ('failed', 'undelivered', 'expired', 'uncertain', 'held')"
)
add_partial_index(
    "outbound_attention_idx", outbound, ["conversation_id", "status"], NEEDS_ATTENTION
)
add_partial_index("outbound_newest_attention_idx", outbound, ["id"], NEEDS_ATTENTION)


def has_status(table: FromClause, *statuses: OutboundStatus) -> ColumnElement[bool]:
    """Whether a row of the outbox, or of an alias of it, has one of these.

    They are written out, in the words of the partial indexes: no such index serves a parameter.
    """
    written: list[ColumnElement[str]] = [literal_column(f"'{status}'") for status in statuses]
    one = len(written) == 1
    return table.c.status == written[0] if one else table.c.status.in_(written)


def is_waiting(table: FromClause) -> ColumnElement[bool]:
    """Whether a row is waiting to be sent; matches the partial indexes of such rows."""
    return holds_mostly(has_status(table, *WAITING))


def holds_mostly(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """The same condition, which SQLite then takes for one that narrows little."""
    return _Likely(condition)


class _Likely(FunctionElement[bool]):
    """Tells SQLite that most rows match: else it uses the index of all statuses, and sorts."""

    inherit_cache = True
    type = Boolean()

    def self_group(self, against: object = None) -> Any:  # noqa: ARG002 SQLAlchemy's signature
        """Unchanged: compared with 1, it would no longer match an index."""
        return self


@compiles(_Likely)
def _write_plainly(element: _Likely, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(_Likely, "sqlite")
def _write_for_sqlite(element: _Likely, compiler: SQLCompiler, **options: Any) -> str:
    return f"likely({compiler.process(element.clauses, **options)})"


# The provider's own messages: one for each part, or for each recipient of a list or group.
provider_messages = Table(
    "provider_messages",
    metadata,
    make_id(),
    Column("provider_id", Text, nullable=False),
    Column("outbound_id", BigId, nullable=False),
    Column("destination", Text, nullable=False),
    Column("status", Text, comment="the provider's word as it came; null: none yet"),
    Column("is_final", Boolean, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    # An id should not be given twice, but if it is, neither text may lose it.
    Index("provider_messages_provider_idx", "provider_id", "outbound_id", unique=True),
    Index("provider_messages_outbound_idx", "outbound_id", "id"),
    sqlite_autoincrement=True,
)

# One row for each call that was made, or about to be made, for a text.
send_attempts = Table(
    "send_attempts",
    metadata,
    Column("outbound_id", BigId, primary_key=True, autoincrement=False),
    Column("attempt", Integer, primary_key=True),
    Column("began_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime),
    Column("outcome", Text),
    Column("error_class", Text),
    Column("code", Text),
    Column("answer", Text),
)

# Every change of an outbound's status, and its source; `sending` is only in the attempts.
status_changes = Table(
    "status_changes",
    metadata,
    make_id(),
    Column("outbound_id", BigId, nullable=False),
    Column("provider_id", Text),
    Column("status", Text, nullable=False),
    Column("provider_status", Text),
    Column("source", Text, nullable=False, comment="send, check, report, background or a name"),
    Column("changed_at", UtcTime, nullable=False),
    Column("note", Text, comment="what else changed than the status"),
    Index("status_changes_outbound_idx", "outbound_id", "id"),
    Index("status_changes_changed_idx", "changed_at", "outbound_id"),
    sqlite_autoincrement=True,
)

# One row (id 1) that a claim locks: pace, pause and probe of all processes.
sender = Table(
    "sender",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("state", Text, nullable=False, comment="running, paused (a person), stopped (account)"),
    Column("reason", Text),
    Column("changed_by", Text),
    Column("changed_at", UtcTime),
    Column("probe_at", UtcTime, comment="when one message may try again after an account error"),
    Column("pace_at", UtcTime, comment="up to when the pace is used up"),
    Column("credits", Text),
    Column("credits_at", UtcTime),
    Column("cause", Text, comment="what stopped it; null: it is not stopped"),
    Column(
        "failures",
        Integer,
        nullable=False,
        server_default="0",
        comment="tries in a row that showed no working provider",
    ),
)

saved_replies = Table(
    "saved_replies",
    metadata,
    make_id(),
    Column("name", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    sqlite_autoincrement=True,
)
