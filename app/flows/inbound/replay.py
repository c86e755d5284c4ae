"""Reprocesses a stored message: parses its raw bytes and applies the rules again."""

import asyncio
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from app.domain.errors import Conflict
from app.domain.inbound.messages import InboundMessage, RawForward, sort_problems
from app.domain.rules.answering import ReplyLimits
from app.domain.rules.patterns import Search, Unprepared, find_all
from app.domain.rules.rules import list_patterns
from app.flows.inbound.handle import MOST_TRIES, note_names
from app.flows.rules.answer import RuleBook, answer_messages, raise_faults
from app.provider.forwards.forwarding import parse
from app.storage.access.audit import add_audit
from app.storage.db.database import Connection, Database
from app.storage.db.writes import Writes
from app.storage.inbound.handling import note_outcomes, upsert_conversations
from app.storage.inbound.rewriting.replays import (
    PARSED_FIELDS,
    has_reply,
    leave_conversation,
    lock_conversation,
    lock_message,
    rekey_message,
    rewrite_message,
)
from app.storage.inbound.search import Message, get_message
from app.storage.operations.events import add_events
from app.storage.rules.answers import read_our_numbers
from app.storage.rules.pair_context import read_pair_context
from app.storage.rules.rules import read_rules


@dataclass(frozen=True, slots=True)
class Replay:
    """The message as it is now, and whether a reply to it was queued."""

    message: Message
    queued: bool


async def replay_message(
    database: Database,
    message_id: int,
    *,
    zone: ZoneInfo,
    region: str,
    limits: ReplyLimits,
    who: str,
    now: datetime,
) -> Replay:
    """Parse the message again and, if nothing has answered it yet, apply guards and rules again.

    Its fields become what this release reads in the raw bytes, with received_at by `zone`, and
    redeliveries are recognised by them from then on. When and how it arrived do not change. Raises
    NotFound, and Conflict if it has not been handled yet.
    """
    for _ in range(MOST_TRIES):
        search = await _look_up(database, message_id, zone, region)
        with suppress(Unprepared):  # the rules have changed
            return await database.write(_replay, message_id, zone, region, limits, who, now, search)
    raise Conflict("the rules are changing: try again in a moment")


async def _look_up(database: Database, message_id: int, zone: ZoneInfo, region: str) -> Search:
    """Search for patterns before the transaction, because that may take long."""

    def read_both(conn: Connection) -> tuple[Message, list[str]]:
        return get_message(conn, message_id), list_patterns(read_rules(conn))

    old, patterns = await database.read(read_both)
    read = _parse_again(old, zone, region)
    return await asyncio.to_thread(find_all, patterns, [read.body])


def _parse_again(old: Message, zone: ZoneInfo, region: str) -> InboundMessage:
    return parse(
        RawForward.from_bytes(old.raw),
        zone=zone,
        region=region,
        arrived_at=old.arrived_at,
        nonce=b"",
        via=old.via,  # type: ignore[arg-type]  # stored as it was
    )


def _replay(
    conn: Connection,
    message_id: int,
    zone: ZoneInfo,
    region: str,
    limits: ReplyLimits,
    who: str,
    now: datetime,
    search: Search,
) -> Replay:
    old = lock_message(conn, message_id)
    if old.handled_at is None:
        raise Conflict("it is not handled yet: try again in a moment")
    read = _parse_again(old, zone, region)
    new = _replace_parsed(old, read, read_our_numbers(conn))
    has_moved = new.pair_key != old.pair_key
    if has_moved and old.pair_key < new.pair_key:
        lock_conversation(conn, old.pair_key)
    # It locks the pair, and counts the message as unread only if it is new to it.
    counted = new if has_moved else replace(new, read_at=now)
    ids = upsert_conversations(conn, [counted], are_new=has_moved)
    rewrite_message(conn, old, new, ids[new.pair_key])
    if old.via != "report" and (read.provider_id or read.received_raw):
        rekey_message(conn, message_id, read.dedupe_key)
    if has_moved:
        leave_conversation(conn, old.pair_key, was_unread=old.read_at is None)
    is_asked = old.duplicate_of is None and not has_reply(conn, message_id)
    context = read_pair_context(conn, ids.values(), now)
    answers = answer_messages(
        conn,
        [new] if is_asked else [],
        ids,
        context,
        now,
        book=RuleBook(),
        limits=limits,
        search=search,
    )
    writes = Writes()
    note_names(writes, [new], context)
    note_outcomes(writes, answers.outcomes, now)
    writes.run(conn)
    replayed = get_message(conn, message_id)
    changed = [name for name in PARSED_FIELDS if getattr(old, name) != getattr(replayed, name)]
    detail = {"changed": changed, "outcome": replayed.outcome_code, "queued": len(answers.queued)}
    add_audit(conn, who, "message.replay", str(message_id), detail, now)
    add_events(conn, [("replay", message_id), *answers.list_changes()], now)
    raise_faults(conn, answers, now)
    return Replay(replayed, bool(answers.queued))


def _replace_parsed(old: Message, read: InboundMessage, numbers: Collection[str]) -> Message:
    """With the problems of the raw bytes and those that only the database shows."""
    problems = [*read.problems]
    if numbers and read.dest not in numbers:
        problems.append("unknown-number")
    if "id-reused" in old.problems.split():
        problems.append("id-reused")
    parsed = {name: getattr(read, name) for name in PARSED_FIELDS}
    return replace(old, **parsed | {"problems": " ".join(sort_problems(problems))})
