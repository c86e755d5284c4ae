"""Decides the automatic reply to a text: guards first, then the first rule that matches."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from app.domain.inbound.messages import StoredMessage
from app.domain.inbound.reconciling import AMBIGUITY
from app.domain.keywords import split_words
from app.domain.numbers import is_full_number
from app.domain.outbound.states import Origin
from app.domain.rules.opt_outs import Intent, OptOutState, find_intent, find_newer
from app.domain.rules.patterns import Search, search_pattern
from app.domain.rules.refusals.recognising import read_refusal
from app.domain.rules.replies import list_values
from app.domain.rules.rules import Rule, RulesByKeyword, find_rule, list_keywords, sort_rules
from app.domain.templates import fill_template

_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)


class Outcome(StrEnum):
    """What became of a text, as stored with its message."""

    REPLIED = "replied"
    NO_RULE = "no-rule"
    COOLDOWN = "cooldown"
    """The rule has answered this sender a short while ago."""
    QUIET = "quiet"
    """Another text that came within seconds of this one has been answered."""
    OPTED_OUT = "opted-out"
    OPT_OUT = "opt-out"
    OPT_OUT_UNSURE = "opt-out-unsure"
    """It looks like a refusal, misspelt or among other words: a person has to decide."""
    OPT_IN = "opt-in"
    BUDGET = "budget"
    TOO_OLD = "too-old"
    EXPIRED = "expired"
    """A rule answered it, but the reply could not be sent in time."""
    UNANSWERABLE = "unanswerable"
    """The sender is a name, a short code or one of our own numbers."""


@dataclass(frozen=True, slots=True)
class ReplyLimits:
    """How late and how often one number replies automatically to one sender.

    `quiet`: texts that arrive this close together may be parts of one.
    """

    within: timedelta = timedelta(seconds=900)
    per_hour: int = 5
    per_day: int = 20
    quiet: timedelta = timedelta(seconds=10)


DEFAULT_LIMITS = ReplyLimits()


@dataclass(frozen=True, slots=True)
class OurNumber:
    """What answering needs to know of one of our numbers."""

    number: str
    merge_field_names: Mapping[str, str]
    opt_out_reply: str | None


@dataclass(slots=True)
class History:
    """The automatic replies to one pair: the times of the last day's, and each rule's latest.

    `answered` has the arrival time of the text that each of the day's rule replies answers.
    """

    times: list[datetime] = field(default_factory=list)
    by_rule: dict[int, datetime] = field(default_factory=dict)
    answered: list[tuple[int, datetime]] = field(default_factory=list)

    def note(self, rule_id: int | None, now: datetime, arrived_at: datetime | None) -> None:
        self.times.append(now)
        if rule_id is not None:
            self.by_rule[rule_id] = max(now, self.by_rule.get(rule_id, now))
            self.answered.append((rule_id, arrived_at or now))

    def has_room(self, limits: ReplyLimits, now: datetime) -> bool:
        if not self.times:
            return limits.per_hour > 0 and limits.per_day > 0
        within_day = [time for time in self.times if time > now - _DAY]
        within_hour = [time for time in within_day if time > now - _HOUR]
        return len(within_hour) < limits.per_hour and len(within_day) < limits.per_day

    def is_cooling(self, rule: Rule, now: datetime) -> bool:
        last = self.by_rule.get(rule.id)
        return last is not None and now < last + timedelta(seconds=rule.cooldown_seconds)

    def is_quiet(self, rule: Rule, arrived_at: datetime, quiet: timedelta) -> bool:
        """Whether the rule has answered a text close to this one; for a catch-all rule, whether any
        rule has.

        By arrival time, so that the order and delay of handling do not matter.
        """
        return any(
            (rule_id == rule.id or rule.takes_any_words) and abs(arrived_at - other) < quiet
            for rule_id, other in self.answered
        )


@dataclass(frozen=True, slots=True)
class Reply:
    """An automatic reply; it is sent before `send_before` or not at all."""

    source: str
    body: str
    origin: Origin
    send_before: datetime


@dataclass(frozen=True, slots=True)
class Decision:
    """`outcome` is None if no rule was tried (an id that came again with another text).

    `opt_out` is the sender's new state; None if the text does not change it.
    """

    outcome: Outcome | None
    rule: Rule | None = None
    reply: Reply | None = None
    opt_out: OptOutState | None = None


_NO_HISTORY = History()
# What becomes of most texts.
_NO_RULE = Decision(Outcome.NO_RULE)


def find_said_at(text: StoredMessage) -> datetime:
    """When a text came: our own time, but the provider's if only its report brought it."""
    return min(text.received_at, text.arrived_at) if text.via == "report" else text.arrived_at


def find_refused_at(text: StoredMessage) -> datetime:
    """When a refusal came: the later of the two times that the clocks make of one in autumn, so
    that no START from between them outlasts it.
    """
    if text.via == "report" and "time-ambiguous" in text.problems:
        return min(text.received_at + AMBIGUITY, text.arrived_at)
    return find_said_at(text)


class Answering:
    """Answers texts one after another, each with regard to those before.

    `opt_outs` (by number) and `histories` (by the pair's key) are the known state; `search` finds
    patterns.
    """

    def __init__(
        self,
        rules: Iterable[Rule],
        numbers: Mapping[str, OurNumber],
        *,
        opt_outs: Mapping[str, OptOutState] | None = None,
        histories: Mapping[bytes, History] | None = None,
        limits: ReplyLimits = DEFAULT_LIMITS,
        search: Search = search_pattern,
    ) -> None:
        self.rules = [rule for rule in sort_rules(rules) if rule.enabled]
        self._by_keyword = RulesByKeyword(self.rules)
        self._numbers = numbers
        self._sources = frozenset(rule.source for rule in self.rules if rule.source is not None)
        # People may name the sender that they see: STOP ACME.
        self._names = frozenset(word for source in self._sources for word in split_words(source))
        self._opt_outs = dict(opt_outs or {})
        self._histories = dict(histories or {})
        self._limits = limits
        self._search = search

    def answer(self, text: StoredMessage, now: datetime) -> Decision:
        """Decide; this text's reply and opt-out count for the texts after it."""
        decision = self._decide(text, now)
        if decision.opt_out is not None:
            self._opt_outs[text.source] = decision.opt_out
        if decision.reply is not None:
            rule_id = decision.rule.id if decision.rule else None
            history = self._histories.setdefault(text.pair_key, History())
            history.note(rule_id, now, text.arrived_at)
        return decision

    def _decide(self, text: StoredMessage, now: datetime) -> Decision:
        if not self._is_answerable(text):
            return Decision(Outcome.UNANSWERABLE)
        last = self._opt_outs.get(text.source)
        intent = self._find_intent(text, last)
        if intent is Intent.UNSURE:
            return Decision(Outcome.OPT_OUT_UNSURE)
        change = None
        if intent is not None:
            is_refused = intent is Intent.OUT
            said_at = find_refused_at(text) if is_refused else find_said_at(text)
            said = OptOutState(is_refused, "keyword", said_at, text.id)
            change = find_newer(said, last, is_direct=text.via == "forward")
        is_out = last is not None and last.is_out
        if intent is Intent.OUT:
            confirms = change is not None and not is_out
            reply = self._make_confirmation(text, now) if confirms else None
            return Decision(Outcome.OPT_OUT, None, reply, change)
        if intent is Intent.BACK and is_out and change is not None:
            return self._opt_in(text, change, now)
        decided = Decision(Outcome.OPTED_OUT) if is_out else self._ask_rules(text, now)
        return decided if change is None else replace(decided, opt_out=change)

    def _is_answerable(self, text: StoredMessage) -> bool:
        """Whether a reply would reach somebody other than us."""
        is_ours = text.source in self._numbers or text.source in self._sources
        is_us = is_ours or text.source == text.dest
        return is_full_number(text.source) and bool(text.dest) and not is_us

    def _find_intent(self, text: StoredMessage, last: OptOutState | None) -> Intent | None:
        reading = read_refusal(text.body, self._list_names(text.name))
        if reading is None:  # nearly every text
            return None
        owned = list_keywords(self.rules, text.dest, text.arrived_at)
        return find_intent(reading, text.body, said_at=find_said_at(text), owned=owned, last=last)

    def _list_names(self, name: str) -> frozenset[str]:
        return self._names.union(split_words(name)) if name else self._names

    def _opt_in(self, text: StoredMessage, change: OptOutState, now: datetime) -> Decision:
        """If a rule has the word as its keyword, its reply goes out too."""
        decided = self._ask_rules(text, now)
        if decided.rule is None or decided.rule.keyword is None:
            decided = Decision(Outcome.OPT_IN)
        return replace(decided, opt_out=change)

    def _ask_rules(self, text: StoredMessage, now: datetime) -> Decision:
        if "id-reused" in text.problems:
            return Decision(None)
        if self._is_too_old(text, now):
            return Decision(Outcome.TOO_OLD)
        history = self._histories.get(text.pair_key, _NO_HISTORY)
        if not history.has_room(self._limits, now):
            return Decision(Outcome.BUDGET)
        rule = find_rule(self._by_keyword.list_for(text.body), text, self._search)
        if rule is None:
            return _NO_RULE
        if history.is_cooling(rule, now):
            return Decision(Outcome.COOLDOWN, rule)
        if history.is_quiet(rule, text.arrived_at, self._limits.quiet):
            return Decision(Outcome.QUIET, rule)
        body = fill_reply(rule, text, self._numbers)
        reply = self._make_reply(text, rule.source or text.dest, body, "rule")
        return Decision(Outcome.REPLIED, rule, reply)

    def _make_confirmation(self, text: StoredMessage, now: datetime) -> Reply | None:
        ours = self._numbers.get(text.dest)
        silenced = (
            "id-reused" in text.problems
            or self._is_too_old(text, now)
            or not self._histories.get(text.pair_key, _NO_HISTORY).has_room(self._limits, now)
        )
        if ours is None or not ours.opt_out_reply or silenced:
            return None
        return self._make_reply(text, text.dest, ours.opt_out_reply, "opt-out")

    def _make_reply(self, text: StoredMessage, source: str, body: str, origin: Origin) -> Reply:
        return Reply(source, body, origin, find_said_at(text) + self._limits.within)

    def _is_too_old(self, text: StoredMessage, now: datetime) -> bool:
        return now - find_said_at(text) > self._limits.within


def fill_reply(rule: Rule, text: StoredMessage, numbers: Mapping[str, OurNumber]) -> str:
    """The rule's reply to this text."""
    ours = numbers.get(text.dest)
    values = list_values(
        source=text.source,
        dest=text.dest,
        body=text.body,
        merge_fields=text.merge_fields,
        merge_field_names=ours.merge_field_names if ours else {},
    )
    return fill_template(rule.reply, values)
