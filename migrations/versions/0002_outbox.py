"""What goes out: rules, opt-outs, the outbox, and what became of each text."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.BigInteger().with_variant(sa.DateTime(timezone=True), "postgresql")


def upgrade() -> None:
    op.add_column(
        "messages",
        sa.Column("outcome", sa.Text(), comment="why it was or was not answered by itself"),
    )
    op.add_column(
        "messages",
        sa.Column("rule_id", BIG_ID, comment="the rule that the outcome speaks of; it may be gone"),
    )
    op.add_column(
        "messages",
        sa.Column(
            "duplicate_of", BIG_ID, comment="the message from the report that this one repeats"
        ),
    )
    op.create_index(
        "messages_duplicate_idx",
        "messages",
        ["duplicate_of"],
        unique=True,
        **_where("duplicate_of IS NOT NULL"),
    )
    op.create_index(
        "message_index_reported_idx",
        "message_index",
        ["conversation_id", "message_id"],
        **_where("via = 'report'"),
    )
    _create_rules()
    _create_outbox()
    _create_records()
    op.execute("INSERT INTO sender (id, state) VALUES (1, 'running')")


def _create_rules() -> None:
    op.create_table(
        "rules",
        sa.Column("id", BIG_ID, sa.Identity(always=False), primary_key=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("dest", sa.Text()),
        sa.Column("keyword", sa.Text()),
        sa.Column("contains", sa.Text()),
        sa.Column("pattern", sa.Text()),
        sa.Column("source_prefix", sa.Text()),
        sa.Column("days", sa.JSON()),
        sa.Column("from_time", sa.Text()),
        sa.Column("to_time", sa.Text()),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("valid_from", TIME),
        sa.Column("valid_until", TIME),
        sa.Column("cooldown_seconds", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text()),
        sa.Column("reply", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("rules_position_idx", "rules", ["position", "id"])
    op.create_table(
        "opt_outs",
        sa.Column("id", BIG_ID, sa.Identity(always=False), primary_key=True),
        sa.Column("number_key", sa.LargeBinary(), unique=True, nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("is_out", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False, comment="keyword, provider or person"),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("message_id", BIG_ID),
        sa.Column("created_at", TIME, nullable=False, comment="when the number said so"),
        sqlite_autoincrement=True,
    )
    op.create_index("opt_outs_out_idx", "opt_outs", ["id"], **_where("is_out"))


def _create_outbox() -> None:
    op.create_table(
        "outbound",
        sa.Column("id", BIG_ID, sa.Identity(always=False), primary_key=True),
        sa.Column("to_number", sa.Text()),
        sa.Column("to_key", sa.LargeBinary()),
        sa.Column("list_name", sa.Text()),
        sa.Column("group_name", sa.Text()),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_key", sa.LargeBinary(), nullable=False),
        sa.Column("source_ton", sa.Integer()),
        sa.Column("pair_key", sa.LargeBinary()),
        sa.Column("conversation_id", BIG_ID),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("parts", sa.Integer(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False, comment="person, rule or opt-out"),
        sa.Column("in_reply_to", BIG_ID),
        sa.Column("rule_id", BIG_ID),
        sa.Column("forced", sa.Boolean(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("held_reason", sa.Text()),
        sa.Column("provider_status", sa.Text()),
        sa.Column("error_code", sa.Text()),
        sa.Column("error_text", sa.Text()),
        sa.Column("background_ids", sa.JSON(), nullable=False),
        sa.Column(
            "attempts",
            sa.Integer(),
            nullable=False,
            comment="also the fence of the attempt under way",
        ),
        sa.Column("schedule_at", TIME),
        sa.Column("schedule_by", sa.Text(), comment="letterbox or provider, where it is scheduled"),
        sa.Column("validity_seconds", sa.Integer(), nullable=False),
        sa.Column("send_before", TIME),
        sa.Column("due_at", TIME, nullable=False),
        sa.Column("lease_until", TIME),
        sa.Column("check_at", TIME, comment="when to ask again what became of it; null: never"),
        sa.Column(
            "absent_since", TIME, comment="when the report first proved an uncertain one absent"
        ),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("sent_at", TIME),
        sa.Column("settled_at", TIME),
        sa.Column("settled_reason", sa.Text()),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "outbound_automatic_idx",
        "outbound",
        ["conversation_id", "created_at"],
        **_where("origin <> 'person'"),
    )
    op.create_index(
        "outbound_check_idx",
        "outbound",
        ["status", "check_at", "id"],
        **_where("check_at IS NOT NULL"),
    )
    op.create_index("outbound_conversation_idx", "outbound", ["conversation_id", "id"])
    op.create_index("outbound_created_idx", "outbound", ["created_at", "id"])
    op.create_index(
        "outbound_due_idx", "outbound", ["due_at", "id"], **_where("status IN ('queued', 'held')")
    )
    op.create_index("outbound_in_reply_to_idx", "outbound", ["in_reply_to"])
    op.create_index(
        "outbound_lease_idx", "outbound", ["lease_until"], **_where("status = 'sending'")
    )
    op.create_index("outbound_named_idx", "outbound", ["id"], **_where("to_number IS NULL"))
    op.create_index("outbound_pair_idx", "outbound", ["pair_key", "id"])
    op.create_index(
        "outbound_reply_idx",
        "outbound",
        ["in_reply_to"],
        unique=True,
        **_where("origin <> 'person'"),
    )
    op.create_index(
        "outbound_rule_idx",
        "outbound",
        ["rule_id", "created_at", "id"],
        **_where("rule_id IS NOT NULL"),
    )
    op.create_index(
        "outbound_send_before_idx",
        "outbound",
        ["send_before"],
        **_where("send_before IS NOT NULL AND status IN ('queued', 'held')"),
    )
    op.create_index("outbound_source_idx", "outbound", ["source_key", "created_at", "id"])
    op.create_index("outbound_status_idx", "outbound", ["status", "created_at", "id"])
    op.create_index("outbound_to_idx", "outbound", ["to_key", "created_at", "id"])
    op.create_index(
        "outbound_under_way_idx",
        "outbound",
        ["pair_key"],
        unique=True,
        **_where("status IN ('sending', 'uncertain')"),
    )
    op.create_table(
        "provider_messages",
        sa.Column("id", BIG_ID, sa.Identity(always=False), primary_key=True),
        sa.Column("provider_id", sa.Text(), unique=True, nullable=False),
        sa.Column("outbound_id", BIG_ID, nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), comment="the provider's word as it came; null: none yet"),
        sa.Column("is_final", sa.Boolean(), nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("provider_messages_outbound_idx", "provider_messages", ["outbound_id", "id"])
    op.create_table(
        "send_attempts",
        sa.Column("outbound_id", BIG_ID, primary_key=True, autoincrement=False),
        sa.Column("attempt", sa.Integer(), primary_key=True),
        sa.Column("began_at", TIME, nullable=False),
        sa.Column("ended_at", TIME),
        sa.Column("fate", sa.Text()),
        sa.Column("error_class", sa.Text()),
        sa.Column("code", sa.Text()),
        sa.Column("answer", sa.Text()),
    )
    op.create_table(
        "status_changes",
        sa.Column("id", BIG_ID, sa.Identity(always=False), primary_key=True),
        sa.Column("outbound_id", BIG_ID, nullable=False),
        sa.Column("provider_id", sa.Text()),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("provider_status", sa.Text()),
        sa.Column(
            "told_by",
            sa.Text(),
            nullable=False,
            comment="send, check, report, background or a name",
        ),
        sa.Column("changed_at", TIME, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("status_changes_outbound_idx", "status_changes", ["outbound_id", "id"])
    op.create_table(
        "sender",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column(
            "state",
            sa.Text(),
            nullable=False,
            comment="running, paused (a person), stopped (account)",
        ),
        sa.Column("reason", sa.Text()),
        sa.Column("changed_by", sa.Text()),
        sa.Column("changed_at", TIME),
        sa.Column(
            "probe_at", TIME, comment="when one message may try again after an account error"
        ),
        sa.Column("pace_at", TIME, comment="up to when the pace is used up"),
        sa.Column("credits", sa.Text()),
        sa.Column("credits_at", TIME),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column(
            "owner", sa.Text(), primary_key=True, comment="the API key's id, or what stands for it"
        ),
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("request_digest", sa.LargeBinary(), nullable=False),
        sa.Column("answer", sa.JSON(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
    )
    op.create_index("idempotency_keys_created_idx", "idempotency_keys", ["created_at"])


def _create_records() -> None:
    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("until", TIME, nullable=False),
        sa.Column("first_at", TIME, nullable=False, comment="when somebody first held it"),
        sa.Column("succeeded_at", TIME, comment="when the last run that succeeded began"),
    )
    op.create_table(
        "audit",
        sa.Column("id", BIG_ID, sa.Identity(always=False), primary_key=True),
        sa.Column("done_at", TIME, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("audit_done_idx", "audit", ["done_at", "id"])
    op.create_index("audit_actor_idx", "audit", ["actor", "id"])
    op.create_index("audit_action_idx", "audit", ["action", "id"])
    op.create_table(
        "daily_figures",
        sa.Column("day", sa.Text(), primary_key=True, comment="YYYY-MM-DD in UTC"),
        sa.Column("number_key", sa.LargeBinary(), primary_key=True),
        sa.Column("figure", sa.Text(), primary_key=True),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "arrivals",
        sa.Column("dest_key", sa.LargeBinary(), primary_key=True),
        sa.Column("dest", sa.Text(), nullable=False),
        sa.Column("last_arrived_at", TIME, nullable=False),
    )
    op.create_table(
        "contact_imports",
        sa.Column("id", BIG_ID, sa.Identity(always=False), primary_key=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("ignore_duplicates", sa.Boolean(), nullable=False),
        sa.Column("overwrite_duplicates", sa.Boolean(), nullable=False),
        sa.Column(
            "contacts",
            sa.JSON(),
            nullable=False,
            comment="[line, name, number, email, [group, ...]]",
        ),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("results", sa.JSON(), nullable=False, comment="[line, result, detail]"),
        sa.Column("error", sa.Text(), comment="why it stopped"),
        sa.Column("lease_until", TIME, comment="while a process is at it"),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("finished_at", TIME),
        sqlite_autoincrement=True,
    )
    op.create_index("contact_imports_created_idx", "contact_imports", ["created_at"])


def _where(condition: str) -> dict[str, Any]:
    return {f"{name}_where": sa.text(condition) for name in ("postgresql", "sqlite")}
