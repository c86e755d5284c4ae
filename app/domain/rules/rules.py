"""The rules of automatic replies: their conditions, and which one answers a text."""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from app.domain.errors import InvalidInput
from app.domain.inbound.messages import StoredMessage
from app.domain.keywords import fold_text, fold_word, read_keyword, split_words
from app.domain.numbers import is_full_number, normalise_number, read_number, read_prefix
from app.domain.outbound.gsm import LONGEST_ALPHANUMERIC_SOURCE, OUTSIDE_GSM
from app.domain.rules.hours import DAYS, check_hours, is_within_hours
from app.domain.rules.patterns import Search, check_pattern, search_pattern
from app.domain.rules.replies import check_template

LONGEST_CONDITION = 200
LONGEST_COOLDOWN_SECONDS = 366 * 86400

_SHORT_CODE = re.compile(r"[0-9]{3,8}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule; None means no condition. `id` is 0 for a draft.

    `from_time` and `to_time` are "HH:MM" in `timezone`, the latter exclusive, as `valid_until` is.
    """

    id: int = 0
    name: str
    enabled: bool = True
    position: int = 0
    dest: str | None = None
    keyword: str | None = None
    contains: str | None = None
    pattern: str | None = None
    source_prefix: str | None = None
    days: tuple[str, ...] | None = None
    from_time: str | None = None
    to_time: str | None = None
    timezone: str
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    cooldown_seconds: int = 0
    source: str | None = None
    reply: str

    def matches(self, text: StoredMessage, search: Search = search_pattern) -> bool:
        """Whether every stated condition holds at the text's arrival."""
        return (
            self.is_valid_at(text.arrived_at)
            and (self.dest is None or text.dest == self.dest)
            and (self.source_prefix is None or text.source.startswith(self.source_prefix))
            and self._is_within_hours(text.arrived_at)
            and self.fits(text.body, search)
        )

    @property
    def takes_any_words(self) -> bool:
        """Whether it answers any text."""
        return self.keyword is None and self.contains is None and self.pattern is None

    def is_valid_at(self, moment: datetime) -> bool:
        return (self.valid_from is None or moment >= self.valid_from) and (
            self.valid_until is None or moment < self.valid_until
        )

    def _is_within_hours(self, moment: datetime) -> bool:
        if self.days is None and self.from_time is None and self.to_time is None:
            return True
        return is_within_hours(
            moment,
            ZoneInfo(self.timezone),
            days=self.days,
            begins=self.from_time,
            ends=self.to_time,
        )

    def fits(self, body: str, search: Search = search_pattern) -> bool:
        """Whether the conditions on the words of a text hold."""
        return (
            (self.keyword is None or read_keyword(body) == _fold_keyword(self.keyword))
            and (self.contains is None or fold_text(self.contains) in fold_text(body))
            and (self.pattern is None or search(self.pattern, body))
        )


def sort_rules(rules: Iterable[Rule]) -> list[Rule]:
    """In the order in which they are asked: by position, older ones first."""
    return sorted(rules, key=lambda rule: (rule.position, rule.id or float("inf")))


def find_rule(
    rules: Iterable[Rule], text: StoredMessage, search: Search = search_pattern
) -> Rule | None:
    """The first enabled rule, in the given order, whose conditions hold."""
    return next((rule for rule in rules if rule.enabled and rule.matches(text, search)), None)


class RulesByKeyword:
    """Sorted rules, so that only those are asked that have no keyword, or the text's first word."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self._keywords = {_fold_keyword(rule.keyword) for rule in rules if rule.keyword is not None}
        self._without = [rule for rule in rules if rule.keyword is None]
        self._by_word: dict[str, Sequence[Rule]] = {}

    def list_for(self, body: str) -> Sequence[Rule]:
        """Those that may answer a text, in order."""
        word = read_keyword(body) if self._keywords else ""
        if word not in self._keywords:
            return self._without
        if word not in self._by_word:
            self._by_word[word] = [
                rule
                for rule in self._rules
                if rule.keyword is None or _fold_keyword(rule.keyword) == word
            ]
        return self._by_word[word]


def list_patterns(rules: Iterable[Rule]) -> list[str]:
    """The patterns of enabled rules, each once."""
    return list(
        dict.fromkeys(rule.pattern for rule in rules if rule.enabled and rule.pattern is not None)
    )


def list_keywords(rules: Iterable[Rule], dest: str, moment: datetime) -> frozenset[str]:
    """The folded words that enabled rules of that number have as keywords at that time."""
    return frozenset(
        _fold_keyword(rule.keyword)
        for rule in rules
        if rule.enabled
        and rule.keyword is not None
        and rule.dest in (None, dest)
        and rule.is_valid_at(moment)
    )


def prepare_rule(
    rule: Rule, *, region: str, own_names: Collection[str], stored: Rule | None = None
) -> Rule:
    """The rule in stored form: numbers normalised, days in order.

    `region` says how national numbers are read; `own_names` are the merge field names of the rule's
    number, or of any number. `stored` is the rule before the change: unchanged numbers are not read
    again. The cost of its pattern is measured elsewhere. Raises InvalidInput, which names the
    field.
    """
    _check_conditions(rule)
    check_hours(days=rule.days, begins=rule.from_time, ends=rule.to_time, timezone=rule.timezone)
    if rule.valid_from and rule.valid_until and rule.valid_from >= rule.valid_until:
        raise InvalidInput("the rule would end before it begins", field="valid_until")
    if not 0 <= rule.cooldown_seconds <= LONGEST_COOLDOWN_SECONDS:
        raise InvalidInput(f"write 0 to {LONGEST_COOLDOWN_SECONDS}", field="cooldown_seconds")
    if rule.pattern is not None and (stored is None or rule.pattern != stored.pattern):
        check_pattern(rule.pattern)
    check_template(rule.reply, own_names)

    def read(field: str, read_typed: Callable[[str, str], str]) -> str | None:
        text = getattr(rule, field)
        is_known = stored is not None and text == getattr(stored, field)
        return text if text is None or is_known else read_typed(text, region)

    return replace(
        rule,
        name=rule.name.strip(),
        dest=read("dest", _read_dest),
        keyword=None if rule.keyword is None else rule.keyword.strip(),
        source_prefix=read("source_prefix", _read_prefix),
        days=None if rule.days is None else tuple(day for day in DAYS if day in rule.days),
        source=read("source", _read_source),
    )


def _check_conditions(rule: Rule) -> None:
    if not rule.name.strip():
        raise InvalidInput("the rule needs a name", field="name")
    if rule.keyword is not None and len(split_words(rule.keyword)) != 1:
        raise InvalidInput("a keyword is one word with a letter or digit in it", field="keyword")
    for field in ("name", "keyword", "contains"):
        value = getattr(rule, field)
        if value is not None and len(value) > LONGEST_CONDITION:
            raise InvalidInput(f"at most {LONGEST_CONDITION} characters", field=field)
    if rule.contains is not None and not rule.contains.strip():
        raise InvalidInput("say what the text must contain, or leave it out", field="contains")


@lru_cache(maxsize=512)
def _fold_keyword(keyword: str) -> str:
    return fold_word(keyword)


def _read_dest(text: str, region: str) -> str:
    if _SHORT_CODE.fullmatch(text.strip()):
        return text.strip()
    try:
        return read_number(text, region)
    except InvalidInput as error:
        raise InvalidInput(str(error), field="dest", code=error.code) from None


def _read_prefix(text: str, region: str) -> str:
    digits = read_prefix(text, region)
    if digits is None:
        raise InvalidInput(
            "write how numbers begin in international form, like 4477", field="source_prefix"
        )
    return digits


def _read_source(text: str, region: str) -> str:
    number = normalise_number(text.strip(), region)
    if is_full_number(number) or _SHORT_CODE.fullmatch(number):
        return number
    if not 1 <= len(number) <= LONGEST_ALPHANUMERIC_SOURCE or OUTSIDE_GSM.search(number):
        raise InvalidInput(
            "write a full number, or a name of at most 11 characters of the GSM alphabet",
            field="source",
        )
    return number
