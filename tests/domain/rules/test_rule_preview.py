"""Drafts over texts that came: what is answered, silenced, and looks like a machine."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from app.domain.inbound.messages import StoredMessage
from app.domain.rules.answering import ReplyLimits
from app.domain.rules.opt_outs import OptOutState
from app.domain.rules.rule_preview import RulePreview, try_draft
from app.domain.rules.rules import Rule
from tests.conftest import NOW
from tests.domain.rules.test_answering import NUMBERS, SENDER, make_rule
from tests.support.messages import make_stored

MINUTE = timedelta(minutes=1)


def make_texts(*bodies: str, every: timedelta = MINUTE, **fields: Any) -> list[StoredMessage]:
    return [
        make_stored(body, id=number, arrived_at=NOW + number * every, **fields)
        for number, body in enumerate(bodies, start=1)
    ]


def attempt(
    texts: Sequence[StoredMessage], *others: Rule, opt_outs: Any = None, **fields: Any
) -> RulePreview:
    draft = make_rule(**{"id": 0, "reply": "Yes", "cooldown_seconds": 1, **fields})
    return try_draft(draft, others, NUMBERS, texts, opt_outs or {}, limits=ReplyLimits(per_hour=4))


def list_risks(preview: RulePreview) -> list[tuple[str | None, str]]:
    return [(risk.source, risk.reason) for risk in preview.loop_risk]


def test_what_became_of_the_matched_texts_adds_up() -> None:
    texts = [
        *make_texts("one", "STOP", "two", "START", "three"),
        make_stored("x" * 460, id=6, source="447700900002"),
        make_stored(" ", id=7, source="447700900003"),
        make_stored("old", id=8, via="report", received_at=NOW - timedelta(hours=1)),
        make_stored("reused", id=9, problems="id-reused", source="447700900004"),
        make_stored("y" * 460, id=10, source="447700900005"),
        make_stored("\n", id=11, source="447700900006"),
    ]
    found = attempt(texts, reply="{body}")
    assert (found.tried, found.matched, found.too_long) == (11, 11, 2)
    assert [(reply.message_id, reply.source) for reply in found.replies] == [
        (1, SENDER),
        (5, SENDER),
    ]
    assert found.silenced == {
        "opt-out": 1,
        "opted-out": 1,
        "opt-in": 1,
        "blank": 2,
        "too-old": 1,
        "id-reused": 1,
    }


def test_other_rules_come_first_where_they_stand_first() -> None:
    first = make_rule(id=2, position=1, keyword="one")
    found = attempt(make_texts("one", "two"), first, position=2)
    assert (found.tried, found.matched) == (2, 1)
    assert attempt(make_texts("one", "two"), first, position=0).matched == 2


def test_a_draft_is_tried_though_it_is_not_enabled() -> None:
    assert attempt(make_texts("one"), enabled=False).matched == 1


def test_replies_of_the_trial_count_for_cooldown_and_budget() -> None:
    cooling = attempt(make_texts(*"abc"), cooldown_seconds=100)
    assert ([reply.message_id for reply in cooling.replies], cooling.silenced) == (
        [1, 3],
        {"cooldown": 1},
    )
    spent = attempt(make_texts(*"abcdefg"))
    assert (len(spent.replies), spent.silenced) == (4, {"budget": 3})
    assert list_risks(spent) == [(SENDER, "budget")]


def test_a_word_counts_from_when_it_was_said() -> None:
    before = OptOutState(True, "person", NOW - MINUTE, 0)
    assert attempt(make_texts("one"), opt_outs={SENDER: before}).silenced == {"opted-out": 1}
    after = OptOutState(True, "keyword", NOW + 2 * MINUTE, 2)
    found = attempt(make_texts("one", "STOP"), opt_outs={SENDER: after})
    assert (len(found.replies), found.silenced) == (1, {"opt-out": 1})


def test_a_text_abroad_costs_two_a_part() -> None:
    texts = [make_stored(id=1), make_stored(id=2, source="15550100999")]
    found = attempt(texts, reply="x" * 161)
    assert [(reply.parts, reply.credits) for reply in found.replies] == [(2, 2), (2, 4)]


def test_what_looks_like_a_machine_is_named() -> None:
    assert list_risks(attempt(make_texts("Busy now.", "busy now.", " Busy now. "))) == [
        (SENDER, "alike")
    ]
    assert list_risks(attempt(make_texts("same", "same", "same", every=timedelta(hours=13)))) == []
    assert list_risks(attempt(make_texts(*"abcd", every=timedelta(seconds=2)))) == [
        (SENDER, "quick")
    ]
    assert list_risks(
        attempt(make_texts("hours"), keyword="hours", reply="Hours: 9", cooldown_seconds=0)
    ) == [(None, "answers-itself")]
    assert list_risks(attempt(make_texts("hours"), keyword="hours", cooldown_seconds=0)) == []
