"""Tries a draft of a rule on the newest texts, before it answers anybody."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from app.domain.inbound.messages import StoredMessage
from app.domain.numbers import is_full_number
from app.domain.rules.answering import OurNumber, ReplyLimits
from app.domain.rules.opt_outs import OptOutState
from app.domain.rules.ordering import Place, Shadow, find_shadows
from app.domain.rules.rule_preview import RulePreview, try_draft
from app.domain.rules.rules import Rule
from app.flows.rules.edit_rules import check_costs, find_position, prepare
from app.storage.db.database import Connection, Database
from app.storage.inbound.search import list_newest_texts
from app.storage.rules import rules
from app.storage.rules.answers import read_our_numbers
from app.storage.rules.opt_outs import read_opt_out_states

DEFAULT_TEXTS = 200
MOST_TEXTS = 1000
# Rules with patterns over long texts may take longer: the preview then covers fewer texts.
MOST_SECONDS = 5.0
# The list of rules should not wait longer for the counts beside them.
SHADOW_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Situation:
    """What a trial needs, read in one transaction."""

    draft: Rule
    others: Sequence[Rule]
    ours: Mapping[str, OurNumber]
    texts: Sequence[StoredMessage]
    opt_outs: Mapping[str, OptOutState]


async def try_rule(
    database: Database,
    draft: Rule,
    *,
    position: int | Place | None,
    limit: int = DEFAULT_TEXTS,
    limits: ReplyLimits,
    region: str,
) -> RulePreview:
    """What the draft would have done with the newest `limit` texts; nothing is written.

    It replaces the rule with its id. Without a position, it keeps that rule's; a new one comes
    after all others. Raises InvalidInput, which names the field, and NotFound.
    """
    await check_costs([draft])
    found = await database.read(_read_situation, draft, position, limit, region)
    ends_at = time.monotonic() + MOST_SECONDS
    # In a thread, because many rules over many texts take a while.
    return await asyncio.to_thread(
        try_draft,
        found.draft,
        found.others,
        found.ours,
        found.texts,
        found.opt_outs,
        limits=limits,
        is_over=lambda: time.monotonic() > ends_at,
    )


async def find_shadowed_rules(database: Database) -> dict[int, Shadow]:
    """The rules that an earlier one leaves nothing to answer, by id, as far as the newest texts and
    the rules' conditions show.
    """

    def read(conn: Connection) -> tuple[Sequence[Rule], Sequence[StoredMessage]]:
        return rules.read_rules(conn), list_newest_texts(conn, limit=DEFAULT_TEXTS)

    found, texts = await database.read(read)
    ends_at = time.monotonic() + SHADOW_SECONDS
    return await asyncio.to_thread(
        find_shadows, found, texts, is_over=lambda: time.monotonic() > ends_at
    )


def _read_situation(
    conn: Connection, draft: Rule, position: int | Place | None, limit: int, region: str
) -> _Situation:
    ours = read_our_numbers(conn)
    old = rules.get_rule(conn, draft.id) if draft.id else None
    stored = rules.read_rules(conn)
    prepared = prepare(draft, ours, region, stored=old)
    rest = [rule for rule in stored if rule.id != draft.id]
    if position is None and old is not None:
        position = old.position
    at = find_position(position, rest, prepared)
    others = [replace(rule, position=rule.position + (rule.position >= at)) for rule in rest]
    texts = list_newest_texts(conn, limit=limit)
    sources = {text.source for text in texts if is_full_number(text.source)}
    return _Situation(
        replace(prepared, position=at),
        others,
        ours,
        texts,
        read_opt_out_states(conn, sources) if sources else {},
    )
