"""A row in every table with a number in each of its columns that can hold one."""

from collections.abc import Mapping
from datetime import datetime
from itertools import cycle
from typing import Any

from sqlalchemy import JSON, Boolean, Column, LargeBinary, Table, Text, insert

from app.domain.inbound.messages import RawForward, make_number_key
from app.storage.db.columns import UtcTime, metadata
from app.storage.db.database import Connection

OURS = "447700900001"
ADA = "447700900123"
# What her number may look like: in other people's texts, too.
WRITTEN = (ADA, f"+{ADA}", "0044 7700 900123", "07700 900123", "+44 (0)7700-900 123", "7700900123")

# What other rows do not have.
UNUSED_ID = 9001

# Columns that hold one of a few words, or our own number: nobody's number gets there.
CODES: Mapping[str, Mapping[str, Any]] = {
    "alerts": {"kind": "process-vanished"},
    "audit": {"action": "opt-out.add"},
    "api_keys": {"scopes": "admin"},
    "batch_rows": {"fault": None, "outbound_id": None},
    "batches": {"state": "done", "schedule_by": None},
    "conversations": {"state": "open", "dest": OURS, "last_message_id": None},
    "daily_counts": {"name": "received", "day": "2026-06-01"},
    "events": {"kind": "message"},
    "login_links": {"kind": "login", "member_id": None},
    "members": {"role": "office", "state": "active", "password_hash": None},
    "messages": {"via": "forward", "problems": "", "outcome": None, "dest": OURS},
    "message_index": {"via": "forward"},
    "notify_addresses": {
        "kind": "mailto", "quiet_from": None, "quiet_until": None, "summary_at": None,
        "summary_on": None, "zone": "UTC", "source": "page", "numbers": [OURS],
    },
    "number_auths": {"number_id": 1},
    "numbers": {"number": OURS, "merge_field_names": {}},
    "opt_outs": {"reason": "person", "is_out": True},
    "outbound": {
        "status": "sent", "origin": "person", "source": OURS, "to_number": ADA,
        "schedule_by": None, "batch_id": None, "attended_at": None,
    },
    "processes": {"kind": "work", "spool_depth": 0},
    "rules": {
        "days": None, "from_time": None, "to_time": None, "timezone": "UTC", "enabled": True,
        "dest": OURS, "source": OURS,
    },
    "sender": {"state": "running", "cause": None, "credits": None},
    "send_attempts": {"outcome": "taken", "error_class": None, "code": None},
    "sessions": {"member_id": 1},
    "status_changes": {"status": "sent", "source": "send"},
    "tombstones": {"kind": "sent", "via": None},
    "webhook_deliveries": {"state": "waiting", "type": "message.received"},
    "webhooks": {"types": "message.received", "numbers": [], "holder": None},
}  # fmt: skip
# Tables of the service's own names, and those that an erasure writes itself.
OWN = {"refills", "index_progress", "revisions", "shared_secrets", "leases", "erasures"}
# Digests that stand for the number.
_NUMBER_KEYS = {"number_key", "source_key", "to_key", "dest_key"}


def seed_number(conn: Connection, now: datetime) -> set[tuple[str, str]]:
    """Returns the columns that hold the number now."""
    written, covered = cycle(WRITTEN), set()
    for table in metadata.sorted_tables:
        if table.name in OWN:
            continue
        values, fixed = {}, CODES.get(table.name, {})
        for column in table.c:
            if column.name in fixed:
                values[column.name] = fixed[column.name]
            elif column.name != "id" or isinstance(column.type, Text):
                values[column.name] = _make_value(table, column, next(written), now)
                if isinstance(column.type, Text | JSON):
                    covered.add((table.name, column.name))
        if table.name == "sender":
            conn.execute(table.update().values({**values, "id": 1}))
        else:
            conn.execute(insert(table).values(values))
    return covered


def list_open_columns() -> set[tuple[str, str]]:
    """Every column of text or JSON, without codes."""
    return {
        (table.name, column.name)
        for table in metadata.sorted_tables
        for column in table.c
        if isinstance(column.type, Text | JSON)
        and table.name not in OWN
        and column.name not in CODES.get(table.name, {})
    }


def _make_value(table: Table, column: Column[Any], written: str, now: datetime) -> Any:
    if isinstance(column.type, UtcTime):
        return now
    if isinstance(column.type, Boolean):
        return False
    if isinstance(column.type, LargeBinary):
        if column.name == "raw":
            return RawForward("GET", "", None, b"msg=Call%20%2B44%207700%20900123").to_bytes()
        return make_number_key(ADA) if column.name in _NUMBER_KEYS else table.name.encode()
    if isinstance(column.type, JSON):
        return _make_json(table.name, column.name, written)
    if isinstance(column.type, Text):
        is_number = column.name in {"number", "source", "to_number", "destination", "subject"}
        return ADA if is_number else f"{column.name}: {written}!"
    return UNUSED_ID


def _make_json(table: str, column: str, written: str) -> Any:
    if column == "contacts":
        return [[2, "Ada", written, None, []], [3, "Grace", "447700900012", None, []]]
    if column in {"results", "cells", "columns", "background_ids", "figures"}:
        return [written, {"deep": [written]}] if table != "batch_rows" else ["Ada", written]
    return {"named": written, ADA: "as a name", "deep": [{"number": int(ADA)}]}
