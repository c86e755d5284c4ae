"""Tries a draft of a rule on texts that came: who would get what, and what would go wrong."""

import itertools
from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from app.domain.inbound.messages import StoredMessage
from app.domain.keywords import fold_text
from app.domain.outbound.credits import estimate_credits
from app.domain.outbound.gsm import LONGEST_BODY, measure_text
from app.domain.rules.answering import (
    DEFAULT_LIMITS,
    Answering,
    OurNumber,
    Outcome,
    ReplyLimits,
    find_said_at,
)
from app.domain.rules.opt_outs import OptOutState
from app.domain.rules.patterns import search_pattern
from app.domain.rules.rules import Rule, find_rule, sort_rules

# If one sender's texts that the draft would answer include this many equal ones within a day, they
# come from a machine.
ALIKE_TEXTS = 3
# A person needs longer than this to read and answer a text; but a long text may come as several.
READING_TIME = timedelta(seconds=5)
QUICK_TEXTS = 3
_DAY = timedelta(days=1)


Risk = Literal["alike", "quick", "budget", "answers-itself"]


class _OverError(Exception):
    """The time for the preview is over."""


@dataclass(frozen=True, slots=True)
class PreviewReply:
    """The draft's reply to a text; `source` is who would have got it."""

    message_id: int
    source: str
    body: str
    parts: int
    credits: int


@dataclass(frozen=True, slots=True)
class LoopRisk:
    """A sign of a machine that answers our replies; `source` is None if it is the rule itself."""

    source: str | None
    reason: Risk
    text: str


@dataclass(slots=True)
class RulePreview:
    """The draft is the rule for `matched` of the `tried` texts; the other counts add up to these.

    `silenced` counts by code those that a guard left unanswered.
    """

    tried: int = 0
    matched: int = 0
    replies: list[PreviewReply] = field(default_factory=list)
    silenced: Counter[str] = field(default_factory=Counter)
    too_long: int = 0
    loop_risk: list[LoopRisk] = field(default_factory=list)


def try_draft(
    draft: Rule,
    others: Iterable[Rule],
    numbers: Mapping[str, OurNumber],
    texts: Sequence[StoredMessage],
    opt_outs: Mapping[str, OptOutState],
    *,
    limits: ReplyLimits = DEFAULT_LIMITS,
    is_over: Callable[[], bool] = lambda: False,
) -> RulePreview:
    """The result if the draft had been enabled when the texts arrived, each handled at once.

    `others` exclude the rule that it replaces; `texts` are in order of arrival. Replies before the
    first of them are not known. Of the `opt_outs` (by number) only those before a sender's first
    text count, because the later ones are among the texts. When `is_over` returns true, the result
    covers the texts tried so far.
    """
    draft = replace(draft, enabled=True)
    rules = sort_rules([draft, *others])

    def search(pattern: str, body: str) -> bool:
        if is_over():
            raise _OverError
        return search_pattern(pattern, body)

    earlier = _list_earlier(opt_outs, texts)
    answering = Answering(rules, numbers, opt_outs=earlier, limits=limits, search=search)
    preview = RulePreview()
    matched: list[StoredMessage] = []
    spent: set[str] = set()
    for text in texts:
        if is_over():
            break
        try:
            is_mine = find_rule(rules, text, search) is draft
            decision = answering.answer(text, text.arrived_at)
        except _OverError:
            break
        preview.tried += 1
        if not is_mine:
            continue
        preview.matched += 1
        matched.append(text)
        if decision.outcome is Outcome.BUDGET:
            spent.add(text.source)
        if decision.reply is not None and decision.rule is draft:
            _note_reply(preview, text, decision.reply.body)
        else:
            preview.silenced[decision.outcome or "id-reused"] += 1
    preview.loop_risk = _find_risks(draft, preview, matched, spent)
    return preview


def _list_earlier(
    opt_outs: Mapping[str, OptOutState], texts: Iterable[StoredMessage]
) -> dict[str, OptOutState]:
    first: dict[str, StoredMessage] = {}
    for text in texts:
        first.setdefault(text.source, text)
    return {
        number: state
        for number, state in opt_outs.items()
        if number not in first or state.said_at < find_said_at(first[number])
    }


def _note_reply(preview: RulePreview, text: StoredMessage, body: str) -> None:
    if len(body) > LONGEST_BODY:
        preview.too_long += 1
        return
    if not body.strip():
        preview.silenced["blank"] += 1
        return
    parts = len(measure_text(body).parts)
    cost = estimate_credits(text.source, parts)
    preview.replies.append(PreviewReply(text.id, text.source, body, parts, cost))


def _find_risks(
    draft: Rule, preview: RulePreview, matched: Sequence[StoredMessage], spent: Container[str]
) -> list[LoopRisk]:
    risks = []
    if not draft.cooldown_seconds and any(draft.fits(each.body) for each in preview.replies):
        text = "the rule would answer its own reply, if sent back: set a cooldown to prevent that"
        risks.append(LoopRisk(None, "answers-itself", text))
    by_source: dict[str, list[StoredMessage]] = {}
    for each in matched:
        by_source.setdefault(each.source, []).append(each)
    for source, texts in by_source.items():
        if source in spent:
            text = "would have used up the automatic replies to one sender"
            risks.append(LoopRisk(source, "budget", text))
        if _count_alike(texts) >= ALIKE_TEXTS:
            risks.append(LoopRisk(source, "alike", "sent the same text again and again"))
        if _count_quick(texts) >= QUICK_TEXTS:
            risks.append(LoopRisk(source, "quick", "sent texts faster than anybody reads"))
    return risks


def _count_alike(texts: Sequence[StoredMessage]) -> int:
    """How often the commonest text came within a day."""
    most = 0
    times: dict[str, list[datetime]] = {}
    for text in texts:
        recent = times.setdefault(fold_text(text.body.strip()), [])
        recent[:] = [each for each in recent if each > text.arrived_at - _DAY] + [text.arrived_at]
        most = max(most, len(recent))
    return most


def _count_quick(texts: Sequence[StoredMessage]) -> int:
    return sum(
        text.arrived_at - before.arrived_at <= READING_TIME
        for before, text in itertools.pairwise(texts)
    )
