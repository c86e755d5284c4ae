"""What is known of a sender and a number before their texts are answered, in one query."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    and_,
    bindparam,
    exists,
    func,
    literal_column,
    select,
)

from app.domain.rules.answering import History
from app.domain.rules.opt_outs import OptOutState
from app.storage.db.given_values import is_among, pad_values
from app.storage.tables.access import revisions
from app.storage.tables.conversations import conversations, people
from app.storage.tables.inbound import message_index, messages, number_last_seen
from app.storage.tables.outbound import outbound
from app.storage.tables.rules import opt_outs

_DAY = timedelta(days=1)


@dataclass(slots=True)
class Pair:
    """A sender and the number it texted: `last_arrived_at` is the number's, `opt_out` the sender's.

    `was_reported`: the provider's report has brought a text of it. `merge_name` is the sender's, ""
    for none. `history` is of the last day; None where nothing was answered.
    """

    source: str
    dest: str
    last_arrived_at: datetime | None
    opt_out: OptOutState | None
    was_reported: bool
    merge_name: str
    history: History | None = None

    def open_history(self) -> History:
        """Its history, to be written to."""
        if self.history is None:
            self.history = History()
        return self.history


@dataclass(frozen=True, slots=True)
class PairContext:
    """`pairs` by key. `revision` grows with every change of the rules and of our numbers.

    `has_known_id`: one of the texts asked about has the id of an earlier one of its pair.
    """

    revision: int
    has_known_id: bool
    pairs: Mapping[bytes, Pair]


def read_pair_context(
    conn: Connection,
    conversation_ids: Collection[int],
    now: datetime,
    *,
    identity_keys: Collection[bytes] = (),
) -> PairContext:
    """The conversations must be locked, so that no other worker adds a reply that is not counted.

    `identity_keys` are those of the texts to be handled.
    """
    given = {
        "ids": pad_values(conversation_ids),
        "identities": pad_values(identity_keys),
        "since": now - _DAY,
    }
    pairs: dict[bytes, Pair] = {}
    revision, has_known_id = 0, False
    # All at once, and unpacked: asking for each row and value by name takes half as long again.
    for row in conn.execute(_select_pair_context(conn.dialect.name), given).all():
        revision, has_known_id, key, *of_pair, rule_id, replied_at, answered_arrived_at = row
        if key not in pairs:
            pairs[key] = _make_pair(*of_pair)
        if replied_at is not None:
            pairs[key].open_history().note(rule_id, replied_at, answered_arrived_at)
    return PairContext(int(revision), bool(has_known_id), pairs)


def _make_pair(
    source: str,
    dest: str,
    was_reported: bool,
    last_arrived_at: datetime | None,
    merge_name: str | None,
    is_out: bool | None,
    reason: str,
    said_at: datetime,
    message_id: int | None,
) -> Pair:
    opt_out = None
    if is_out is not None:
        opt_out = OptOutState(is_out, reason, said_at, message_id or 0)
    return Pair(source, dest, last_arrived_at, opt_out, bool(was_reported), merge_name or "")


@cache  # building it takes longer than running it
def _select_pair_context(dialect: str) -> Select[Any]:
    pair, state, reply = conversations.c, opt_outs.c, outbound.c
    known_id = exists().where(
        is_among(dialect, message_index.c.identity_key, "identities"),
    )
    # Written out, in the words of the partial indexes: no such index serves a parameter.
    is_reported = message_index.c.via == literal_column("'report'")
    is_automatic = reply.origin != literal_column("'person'")
    replied = and_(
        reply.conversation_id == pair.id, is_automatic, reply.created_at > bindparam("since")
    )
    return (
        select(
            # Each revision only grows, so their sum tells of a change of any.
            select(func.sum(revisions.c.revision)).scalar_subquery().label("revision"),
            known_id.label("has_known_id"),
            pair.pair_key,
            pair.source,
            pair.dest,
            exists()
            .where(message_index.c.conversation_id == pair.id, is_reported)
            .label("was_reported"),
            number_last_seen.c.last_arrived_at,
            people.c.merge_name,
            state.is_out,
            state.reason,
            state.created_at.label("said_at"),
            state.message_id,
            reply.rule_id,
            reply.created_at.label("replied_at"),
            messages.c.arrived_at.label("answered_arrived_at"),
        )
        .outerjoin(opt_outs, state.number_key == pair.source_key)
        .outerjoin(people, people.c.number_key == pair.source_key)
        .outerjoin(number_last_seen, number_last_seen.c.dest_key == pair.dest_key)
        .outerjoin(outbound, replied)
        .outerjoin(messages, messages.c.id == reply.in_reply_to)
        .where(is_among(dialect, pair.id, "ids"))
    )
