"""Exports everything that is stored about one number, as one JSON document in constant memory."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.domain.ids import Prefix, encode_id, encode_subject
from app.domain.inbound.messages import RawForward
from app.domain.numbers import is_full_number
from app.domain.times import format_time
from app.domain.written_numbers import NumberForms
from app.storage.access.audit import add_audit
from app.storage.access.members import read_member_names
from app.storage.db.database import Connection, Database
from app.storage.operations.personal_data.number_walk import Found, look_through
from app.storage.operations.personal_data.own_rows import has_own, is_own
from app.storage.operations.personal_data.places import Table, list_places, metadata

# First what a person thinks of; the other tables follow.
_FIRST = (
    "people",
    "opt_outs",
    "conversations",
    "conversation_notes",
    "drafts",
    "messages",
    "outbound",
    "provider_messages",
    "send_attempts",
    "status_changes",
    "batches",
    "batch_rows",
    "webhook_deliveries",
)
# These are about the number as soon as they have it; rows of others only mention it.
_ABOUT = frozenset(
    {
        "alerts",
        "audit",
        "contact_imports",
        "idempotency_keys",
        "refusals",
    }
)
_PREFIXES: Mapping[str, Prefix] = {
    "alerts": "alr",
    "audit": "aud",
    "batches": "bat",
    "conversations": "cnv",
    "conversation_notes": "not",
    "messages": "msg",
    "members": "mem",
    "outbound": "out",
    "refusals": "ref",
    "rules": "rul",
    "saved_replies": "rep",
    "webhooks": "whk",
    "webhook_deliveries": "dlv",
}
_REFERENCES: Mapping[str, Prefix] = {
    "assigned_to": "mem",
    "batch_id": "bat",
    "conversation_id": "cnv",
    "duplicate_of": "msg",
    "in_reply_to": "msg",
    "last_message_id": "msg",
    "member_id": "mem",
    "message_id": "msg",
    "outbound_id": "out",
    "rule_id": "rul",
    "webhook_id": "whk",
}
_MENTIONS = "mentions"


@dataclass
class Exported:
    """How many rows an export has written so far."""

    rows: int = 0


@dataclass(frozen=True, slots=True)
class _Reader:
    forms: NumberForms
    members: Mapping[int, str]

    def show(self, table: Table, found: Found) -> dict[str, Any]:
        """A row as JSON; of a list in a row that is not all about the number, what has it."""
        named = found.row._mapping
        # Entries of the audit trail may name everybody who got the same text.
        is_whole = found.is_own and table.name != "audit"
        shown = {
            column.name: self._show(table, column.name, named[column], is_whole=is_whole)
            for column in table.c
            if _is_shown(table, column.name)
        }
        if table.name == "audit":
            shown["subject"] = encode_subject(named["action"], named["subject"])
        if shown.get("assigned_to"):
            shown["assigned_name"] = self.members.get(named["assigned_to"])
        return shown

    def show_mention(self, table: Table, found: Found) -> dict[str, Any]:
        """Where a row that is not about the number has it, and in which words."""
        named = found.row._mapping
        keys = [each.name for each in table.primary_key if _is_shown(table, each.name)]
        shown = {
            name: self._show(table, name, named[table.c[name]], is_whole=False)
            for name in dict.fromkeys([*keys, *found.columns])
        }
        return {"table": table.name, **shown}

    def _show(self, table: Table, name: str, value: Any, *, is_whole: bool) -> Any:
        if isinstance(value, datetime):
            return format_time(value)
        if isinstance(value, bytes | memoryview):
            raw = RawForward.from_bytes(bytes(value))
            parameters = [list(pair) for pair in raw.texts]
            value = {"method": raw.method, "parameters": parameters}
        prefix = _PREFIXES.get(table.name) if name == "id" else _REFERENCES.get(name)
        if prefix is not None and isinstance(value, int):
            return encode_id(prefix, value) if value else None
        return value if is_whole else _narrow(value, self.forms)


async def export_person(
    database: Database, forms: NumberForms, *, who: str, now: datetime, exported: Exported
) -> AsyncGenerator[bytes]:
    """The document in chunks; the audit trail names the export before anything is read.

    Raises Unavailable.
    """
    reader, entry_id = await database.write(_begin, forms, who, now)
    head = {"number": forms.number, "exported_at": format_time(now)}
    yield json.dumps(head, ensure_ascii=False, indent=1).rstrip("\n}").encode()
    for table in list_sections():
        pages = _read(database, table, forms, entry_id, mentions=False)
        async for chunk in _write_section(table.name, pages, reader.show, exported):
            yield chunk
    mentions = _read_mentions(database, forms, entry_id)
    async for chunk in _write_section(_MENTIONS, mentions, reader.show_mention, exported):
        yield chunk
    yield b"\n}\n"


def list_sections() -> list[Table]:
    """The tables of which whole rows are shown, in the order of the document."""
    names = [name for name in metadata.tables if _is_section(metadata.tables[name])]
    return [metadata.tables[name] for name in [*_FIRST, *sorted(set(names) - set(_FIRST))]]


def _is_section(table: Table) -> bool:
    return has_own(table) or table.name in _ABOUT


def _is_shown(table: Table, name: str) -> bool:
    """Digests and secrets are not, nor what is made of another column."""
    column = table.c[name]
    is_binary = column.type.python_type is bytes
    return name != "search_text" and (not is_binary or column in set(list_places(table)))


def _begin(conn: Connection, forms: NumberForms, who: str, now: datetime) -> tuple[_Reader, int]:
    entry_id = add_audit(conn, who, "person.export", forms.number, {}, now)
    return _Reader(forms, read_member_names(conn)), entry_id


async def _read(
    database: Database, table: Table, forms: NumberForms, entry_id: int, *, mentions: bool
) -> AsyncIterator[tuple[Table, Found]]:
    places, own = list_places(table), is_own(table, forms.number)
    after = None
    while True:
        window = await database.read(look_through, table, places, forms, after, own)
        for each in window.found:
            is_about = each.is_own or table.name in _ABOUT
            # The document is empty where nothing is known, though its own entry is there by now.
            is_this = table.name == "audit" and each.row.id == entry_id
            if is_about is not mentions and not is_this:
                yield table, each
        after = window.last
        if after is None:
            return


async def _read_mentions(
    database: Database, forms: NumberForms, entry_id: int
) -> AsyncIterator[tuple[Table, Found]]:
    for table in metadata.sorted_tables:
        if table.name not in _ABOUT and list_places(table):
            async for each in _read(database, table, forms, entry_id, mentions=True):
                yield each


async def _write_section(
    name: str,
    rows: AsyncIterator[tuple[Table, Found]],
    show: Callable[[Table, Found], dict[str, Any]],
    exported: Exported,
) -> AsyncGenerator[bytes]:
    separator = f",\n {json.dumps(name)}: ["
    yield separator.encode()
    separator = ""
    async for table, found in rows:
        exported.rows += 1
        line = json.dumps(show(table, found), ensure_ascii=False)
        yield f"{separator}\n  {line}".encode(errors="backslashreplace")
        separator = ","
    yield b"\n ]" if separator else b"]"


def _narrow(value: Any, forms: NumberForms) -> Any:
    """Of a list, only what has the number, for the rest is about others.

    A list in which nothing has it stays if it is one of names or codes.
    """
    if isinstance(value, Mapping):
        return {name: _narrow(each, forms) for name, each in value.items()}
    if isinstance(value, str):
        numbers = value.split(", ")
        is_list = len(numbers) > 1 and all(map(is_full_number, numbers))
        return ", ".join(filter(forms.is_in, numbers)) if is_list else value
    if not isinstance(value, Sequence):
        return value
    having = [each for each in value if forms.is_in(each)]
    is_nested = any(isinstance(each, list | dict) for each in value)
    return [_narrow(each, forms) for each in having] if having or is_nested else value
