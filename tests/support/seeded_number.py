"""Rows that have a number in one column each, for every column of every table that can hold one."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from itertools import count, cycle
from typing import Any

from sqlalchemy import JSON, Boolean, Column, Integer, LargeBinary, Table, Text, insert

from app.domain.inbound.messages import RawForward, make_number_key
from app.storage.db.columns import UtcTime, metadata
from app.storage.db.database import Connection

OURS = "447700900001"
ADA = "447700900123"
# What her number may look like: in other people's texts, too.
WRITTEN = (ADA, f"+{ADA}", "0044 7700 900123", "07700 900123", "+44 (0)7700-900 123", "7700900123")

# Ids that other rows do not have; the first is of rows that others refer to.
PARENT = 9001

# Columns that hold one of a few words: nobody's number gets there.
CODES: Mapping[str, Mapping[str, Any]] = {
    "alerts": {"kind": "process-vanished"},
    "audit": {"action": "opt-out.add"},
    "api_keys": {"scopes": "admin"},
    "batch_rows": {"fault": None},
    "batches": {"state": "done", "schedule_by": None},
    "conversations": {"state": "open"},
    "daily_counts": {"name": "received", "day": "2026-06-01"},
    "events": {"kind": "message"},
    "login_links": {"kind": "login"},
    "members": {"role": "office", "state": "active", "password_hash": None},
    "messages": {"via": "forward", "problems": "", "outcome": None},
    "message_index": {"via": "forward"},
    "notify_addresses": {
        "kind": "mailto", "quiet_from": None, "quiet_until": None, "summary_at": None,
        "summary_on": None, "zone": "UTC", "source": "page",
    },
    "numbers": {"merge_field_names": {}},
    "opt_outs": {"reason": "person", "is_out": True},
    "outbound": {
        "status": "sent", "origin": "person", "schedule_by": None,
    },
    "processes": {"kind": "work", "spool_depth": 0},
    "rules": {
        "days": None, "from_time": None, "to_time": None, "timezone": "UTC", "enabled": True,
    },
    "sender": {"state": "running", "cause": None, "credits": None},
    "send_attempts": {"outcome": "taken", "error_class": None, "code": None},
    "status_changes": {"status": "sent", "source": "send"},
    "tombstones": {"kind": "sent", "via": None},
    "webhook_deliveries": {"state": "waiting", "type": "message.received"},
    "webhooks": {"types": "message.received", "holder": None},
}  # fmt: skip
# Tables of the service's own names, and those that an erasure writes itself.
OWN = {"refills", "index_progress", "revisions", "shared_secrets", "leases", "erasures"}
# Columns of JSON that hold names and values, not a list.
_OBJECTS = {"merge_fields", "extra", "merge_field_names"}
# What stands for the number in indexes.
_KEYS = {"number": "number_key", "source": "source_key", "to_number": "to_key", "dest": "dest_key"}


def seed_number(conn: Connection, columns: Collection[Column[Any]], now: datetime) -> None:
    """A row for each of these columns, in which only that one has the number, behind its name."""
    written, ids = cycle(WRITTEN), count(PARENT + 1)
    for table in metadata.sorted_tables:
        if table.name in {"numbers", "members"}:
            conn.execute(insert(table).values(_make_row(table, PARENT, now)))
        for column in table.c:
            if column not in set(columns):
                continue
            number = next(written)
            values = {column.name: _write(column, number)}
            key = _KEYS.get(column.name)
            if key is not None and key in table.c:
                values |= {column.name: ADA, key: make_number_key(ADA)}
            if table.name == "sender":
                conn.execute(table.update().values(values))
            else:
                row = _make_row(table, next(ids), now)
                conn.execute(insert(table).values({**row, **values}))


def list_open_columns() -> list[Column[Any]]:
    """Every column of text or JSON, and of forwards as they came, without codes."""
    return [
        column
        for table in metadata.sorted_tables
        for column in table.c
        if (isinstance(column.type, Text | JSON) or column.name == "raw")
        and table.name not in OWN
        and column.name not in CODES.get(table.name, {})
    ]


def _make_row(table: Table, number: int, now: datetime) -> dict[str, Any]:
    """What a row has to have, different each time."""
    needed = {
        column.name: _fill(column, number, now)
        for column in table.c
        if column.primary_key or (not column.nullable and column.server_default is None)
    }
    return {**needed, **CODES.get(table.name, {})}


def _fill(column: Column[Any], number: int, now: datetime) -> Any:
    if isinstance(column.type, UtcTime):
        return now + timedelta(seconds=number)
    if isinstance(column.type, Boolean):
        return False
    if isinstance(column.type, JSON):
        return {} if column.name in _OBJECTS else []
    if isinstance(column.type, LargeBinary):
        empty = RawForward("GET", "", None, b"").to_bytes()
        return empty if column.name == "raw" else number.to_bytes(16, "big")
    if isinstance(column.type, Text):
        return f"filler {number}"
    if column.foreign_keys:
        return PARENT
    return number if isinstance(column.type, Integer) or column.primary_key else 0


def _write(column: Column[Any], written: str) -> Any:
    text = f"{column} {written}!"
    if isinstance(column.type, LargeBinary):
        form = f"x={column}+%2B44+%280%297700+900123".encode()
        return RawForward("GET", "", None, form).to_bytes()
    if not isinstance(column.type, JSON):
        return text
    if column.name == "contacts":
        return [[2, "Ada", text, None, []], [3, "Grace", "447700900013", None, []]]
    return {"named": text, ADA: "as a name", "deep": [{"number": int(ADA)}]}
