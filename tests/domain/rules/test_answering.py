"""Guards before rules: what each text comes to, and what one text changes for the next."""

from datetime import timedelta
from typing import Any

import pytest

from app.domain.inbound.messages import StoredMessage, make_pair_key
from app.domain.rules.answering import Answering, Decision, History, OurNumber, Outcome, ReplyLimits
from app.domain.rules.opt_outs import OptOutState
from app.domain.rules.rules import Rule
from tests.conftest import NOW
from tests.support.messages import make_stored

OURS, ALSO_OURS, SENDER = "447700900100", "447700900101", "447700900123"
NUMBERS = {
    OURS: OurNumber(OURS, {"1": "colour"}, "You are out. Reply START to come back."),
    ALSO_OURS: OurNumber(ALSO_OURS, {}, None),
}
MINUTE = timedelta(minutes=1)


def make_rule(**fields: Any) -> Rule:
    return Rule(
        **{"id": 1, "name": "test", "timezone": "UTC", "reply": "Hello {colour|you}", **fields}
    )


def open_answering(*rules: Rule, **known: Any) -> Answering:
    return Answering(rules or (make_rule(),), NUMBERS, **known)


def outcome(text: StoredMessage, *rules: Rule, **known: Any) -> Outcome | None:
    return open_answering(*rules, **known).answer(text, NOW).outcome


def replies(decision: Decision) -> str | None:
    return decision.reply.body if decision.reply else None


def test_the_rules_reply_goes_out_from_the_number_that_was_texted() -> None:
    rule = make_rule(reply="{colour}, {source}, {dest}")
    decision = open_answering(rule).answer(make_stored(merge_fields={"1": "blue"}), NOW)
    assert decision.outcome is Outcome.REPLIED
    assert decision.reply is not None
    assert (decision.reply.source, decision.reply.origin) == (OURS, "rule")
    assert decision.reply.body == f"blue, {SENDER}, {OURS}"
    assert decision.reply.send_before == NOW + timedelta(seconds=900)


def test_a_rule_may_answer_from_elsewhere() -> None:
    decision = open_answering(make_rule(source="Shop")).answer(make_stored(), NOW)
    assert decision.reply is not None
    assert decision.reply.source == "Shop"


@pytest.mark.parametrize("source", ["", "Shop", "60777", "07700900123", OURS, ALSO_OURS])
def test_who_cannot_be_answered_or_is_us_gets_no_answer(source: str) -> None:
    assert outcome(make_stored(source=source)) is Outcome.UNANSWERABLE
    assert outcome(make_stored("STOP", source=source)) is Outcome.UNANSWERABLE


def test_numbers_that_nobody_configured_are_ours_where_we_answer_from_them() -> None:
    desk = "447700900199"
    assert outcome(make_stored(source=desk)) is Outcome.REPLIED
    assert outcome(make_stored(source=desk, dest=desk)) is Outcome.UNANSWERABLE
    assert outcome(make_stored(source=desk), make_rule(source=desk)) is Outcome.UNANSWERABLE


def test_a_text_without_our_number_is_unanswerable() -> None:
    assert outcome(make_stored(dest="")) is Outcome.UNANSWERABLE


def test_age_is_counted_from_our_stamp_but_from_the_providers_for_the_report() -> None:
    old = NOW - timedelta(seconds=901)
    assert outcome(make_stored(received_at=old)) is Outcome.REPLIED
    assert outcome(make_stored(arrived_at=old)) is Outcome.TOO_OLD
    assert outcome(make_stored(received_at=old, via="report")) is Outcome.TOO_OLD
    assert outcome(make_stored(received_at=NOW - 14 * MINUTE, via="report")) is Outcome.REPLIED
    assert (
        outcome(make_stored(arrived_at=NOW - timedelta(seconds=900), via="spool"))
        is Outcome.REPLIED
    )


def test_no_rule_that_holds_is_an_outcome_of_its_own() -> None:
    assert outcome(make_stored(), make_rule(keyword="hours")) is Outcome.NO_RULE


def test_an_id_that_came_again_with_another_text_asks_no_rule() -> None:
    assert outcome(make_stored(problems="time id-reused")) is None
    # but a refusal is a refusal
    decision = open_answering().answer(make_stored("STOP", problems="id-reused"), NOW)
    assert (decision.outcome, decision.reply) == (Outcome.OPT_OUT, None)
    assert decision.opt_out is not None


def test_a_cooling_rule_silences_and_lets_no_other_answer() -> None:
    answering = open_answering(make_rule(cooldown_seconds=60), make_rule(id=2, position=1))
    assert answering.answer(make_stored(), NOW).outcome is Outcome.REPLIED
    later = NOW + timedelta(seconds=59)
    cooling = answering.answer(make_stored(arrived_at=later), later)
    assert (cooling.outcome, cooling.reply) == (Outcome.COOLDOWN, None)
    assert cooling.rule is not None
    assert cooling.rule.id == 1
    later = NOW + timedelta(seconds=60)
    assert answering.answer(make_stored(arrived_at=later), later).outcome is Outcome.REPLIED
    assert answering.answer(make_stored(dest=ALSO_OURS), NOW).outcome is Outcome.REPLIED


def test_the_budget_is_of_the_pair_over_every_rule() -> None:
    answering = open_answering(
        make_rule(keyword="a"),
        make_rule(id=2, keyword="b"),
        limits=ReplyLimits(per_hour=2, per_day=3),
    )
    outcomes = [
        answering.answer(
            make_stored(body, arrived_at=NOW + minutes * MINUTE), NOW + minutes * MINUTE
        )
        for body, minutes in [("a", 0), ("b", 1), ("a", 2), ("a", 60), ("a", 122), ("a", 1440)]
    ]
    assert [str(each.outcome) for each in outcomes] == [
        "replied",
        "replied",
        "budget",
        "replied",
        "budget",
        "replied",
    ]
    assert answering.answer(make_stored("a", dest=ALSO_OURS), NOW).outcome is Outcome.REPLIED


def test_earlier_replies_count() -> None:
    histories = {make_pair_key(OURS, SENDER): History([NOW - MINUTE] * 5)}
    assert outcome(make_stored(), histories=histories) is Outcome.BUDGET
    history = History()
    for moment in (NOW + MINUTE, NOW):
        history.note(1, moment, moment)
    assert history.by_rule == {1: NOW + MINUTE}


def test_a_refusal_is_confirmed_once_and_silences() -> None:
    answering = open_answering()
    first = answering.answer(make_stored("Stop please"), NOW)
    assert first.outcome is Outcome.OPT_OUT
    assert replies(first) == "You are out. Reply START to come back."
    assert first.reply is not None
    assert (first.reply.source, first.reply.origin) == (OURS, "opt-out")
    assert answering.answer(make_stored("Hello", id=2), NOW).outcome is Outcome.OPTED_OUT
    assert (
        answering.answer(make_stored("Hello", id=3, dest=ALSO_OURS), NOW).outcome
        is Outcome.OPTED_OUT
    )
    again = answering.answer(make_stored("STOP", id=4), NOW)
    assert (again.outcome, again.reply) == (Outcome.OPT_OUT, None)
    back = answering.answer(make_stored("Yes", id=5), NOW)
    assert (back.outcome, back.reply) == (Outcome.OPT_IN, None)
    assert answering.answer(make_stored("Hello", id=6), NOW).outcome is Outcome.REPLIED


def test_a_number_without_a_confirmation_confirms_nothing() -> None:
    decision = open_answering().answer(make_stored("STOP", dest=ALSO_OURS), NOW)
    assert (decision.outcome, decision.reply) == (Outcome.OPT_OUT, None)


def test_a_refusal_that_is_handled_late_is_kept_but_not_confirmed() -> None:
    decision = open_answering().answer(make_stored("STOP", arrived_at=NOW - timedelta(days=1)), NOW)
    assert (decision.outcome, decision.reply) == (Outcome.OPT_OUT, None)
    assert decision.opt_out == OptOutState(True, "keyword", NOW - timedelta(days=1), 1)


def test_an_older_refusal_undoes_no_newer_word() -> None:
    opt_outs = {SENDER: OptOutState(False, "keyword", NOW, 7)}
    answering = open_answering(opt_outs=opt_outs)
    decision = answering.answer(make_stored("STOP", id=6), NOW)
    assert (decision.outcome, decision.opt_out, decision.reply) == (Outcome.OPT_OUT, None, None)
    assert answering.answer(make_stored("Hello", id=8), NOW).outcome is Outcome.REPLIED


def test_start_is_kept_even_where_nobody_was_out() -> None:
    # An older STOP that another worker handles later must undo nothing.
    decision = open_answering(make_rule(contains="start")).answer(make_stored("START"), NOW)
    assert decision.outcome is Outcome.REPLIED
    assert decision.opt_out == OptOutState(False, "keyword", NOW, 1)


def test_a_reported_stop_of_the_repeated_hour_counts_from_its_later_time() -> None:
    known = {SENDER: OptOutState(False, "keyword", NOW, 5)}
    times = {"received_at": NOW - 30 * MINUTE, "arrived_at": NOW + 120 * MINUTE, "id": 6}
    stop = make_stored("STOP", via="report", problems="time-ambiguous", **times)
    decision = open_answering(opt_outs=known).answer(stop, NOW + 120 * MINUTE)
    assert decision.opt_out == OptOutState(True, "keyword", NOW + 30 * MINUTE, 6)
    sure = make_stored("STOP", via="report", **times)
    assert open_answering(opt_outs=known).answer(sure, NOW + 120 * MINUTE).opt_out is None
    start = make_stored("START", via="report", problems="time-ambiguous", **times)
    out = {SENDER: OptOutState(True, "keyword", NOW, 5)}
    assert open_answering(opt_outs=out).answer(start, NOW + 120 * MINUTE).opt_out is None


def test_a_rules_keyword_is_the_rules() -> None:
    cancel = make_rule(keyword="CANCEL", dest=OURS, valid_from=NOW)
    assert outcome(make_stored("cancel"), cancel) is Outcome.REPLIED
    assert outcome(make_stored("cancel", dest=ALSO_OURS), make_rule(keyword="x")) is Outcome.OPT_OUT
    assert outcome(make_stored("STOP"), make_rule(keyword="stop")) is Outcome.OPT_OUT


def test_start_brings_back_and_still_gets_its_rules_answer() -> None:
    opt_outs = {SENDER: OptOutState(True, "keyword", NOW - MINUTE, 0)}
    decision = open_answering(make_rule(keyword="start"), opt_outs=opt_outs).answer(
        make_stored("Start"), NOW
    )
    assert decision.outcome is Outcome.REPLIED
    assert (replies(decision), decision.rule) == ("Hello you", make_rule(keyword="start"))
    assert decision.opt_out is not None
    assert not decision.opt_out.is_out


def test_confirmations_count_against_the_budget() -> None:
    answering = open_answering(limits=ReplyLimits(per_hour=2))
    sent = [
        replies(answering.answer(make_stored(body, id=number), NOW))
        for number, body in enumerate(["STOP", "START"] * 4)
    ]
    assert sum(reply is not None for reply in sent) == 2


SECOND = timedelta(seconds=1)


def answer_at(answering: Answering, body: str, seconds: float) -> str:
    moment = NOW + seconds * SECOND
    return str(answering.answer(make_stored(body, arrived_at=moment), moment).outcome)


def test_the_parts_of_a_long_text_get_one_answer() -> None:
    answering = open_answering(make_rule())
    outcomes = [answer_at(answering, body, at) for body, at in [("one", 0), ("two", 1), ("3", 9.9)]]
    assert outcomes == ["replied", "quiet", "quiet"]
    assert answering.answer(make_stored("4"), NOW).rule == make_rule()
    assert answer_at(answering, "another", 10) == "replied"


def test_a_rule_for_any_words_is_quiet_after_another_rule_but_not_the_other_way_round() -> None:
    keyed, open_to_all = make_rule(keyword="hours"), make_rule(id=2, position=1)
    answering = open_answering(keyed, open_to_all)
    assert answer_at(answering, "hours", 0) == "replied"
    assert answer_at(answering, "and where are you", 3) == "quiet"
    other = open_answering(keyed, open_to_all)
    assert answer_at(other, "where are you", 0) == "replied"
    assert answer_at(other, "hours", 3) == "replied"
    assert answer_at(other, "hours?", 6) == "quiet"


@pytest.mark.parametrize("field", ["keyword", "contains", "pattern"])
def test_rules_for_certain_words_answer_one_after_the_other(field: str) -> None:
    first, second = make_rule(**{field: "one"}), make_rule(id=2, position=1, **{field: "two"})
    answering = open_answering(first, second)
    assert [answer_at(answering, body, 0) for body in ("one", "two", "one")] == [
        "replied",
        "replied",
        "quiet",
    ]


def test_what_counts_is_when_texts_arrived_not_when_or_in_what_order_they_are_handled() -> None:
    answering = open_answering(make_rule())
    handled_at = NOW + 100 * SECOND
    arrivals = [(30, "replied"), (21, "quiet"), (39, "quiet"), (20, "replied"), (40, "replied")]
    for seconds, outcome in arrivals:
        text = make_stored("x", arrived_at=NOW + seconds * SECOND)
        assert str(answering.answer(text, handled_at).outcome) == outcome, seconds


def test_another_pair_is_not_quiet_and_nobody_is_where_it_is_off() -> None:
    answering = open_answering(make_rule())
    assert answer_at(answering, "one", 0) == "replied"
    assert answering.answer(make_stored(dest=ALSO_OURS), NOW).outcome is Outcome.REPLIED
    off = open_answering(make_rule(), limits=ReplyLimits(quiet=timedelta()))
    assert [answer_at(off, "x", 0) for _ in range(3)] == ["replied"] * 3


def test_what_looks_like_a_refusal_gets_no_answer_and_opts_nobody_out() -> None:
    answering = open_answering(make_rule())
    decision = answering.answer(make_stored("Stpo"), NOW)
    assert (decision.outcome, decision.reply, decision.opt_out) == (
        Outcome.OPT_OUT_UNSURE,
        None,
        None,
    )
    assert answer_at(answering, "Hello", 60) == "replied"


def test_a_refusal_may_name_the_name_that_texts_come_from_or_the_senders_own() -> None:
    named = open_answering(make_rule(source="ACME Gym"))
    assert named.answer(make_stored("STOP ACME GYM"), NOW).outcome is Outcome.OPT_OUT
    own = make_stored("Stop. Anna Lee", merge_fields={"name": "Anna Lee"})
    assert open_answering().answer(own, NOW).outcome is Outcome.OPT_OUT
    unknown = open_answering(make_rule()).answer(make_stored("STOP ACME"), NOW)
    assert unknown.outcome is Outcome.OPT_OUT_UNSURE
