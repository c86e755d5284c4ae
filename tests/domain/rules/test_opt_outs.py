"""What a refusal or a return means, beside the rules and what the sender said before."""

from datetime import timedelta

import pytest

from app.domain.rules.opt_outs import Intent, OptOutState, find_intent, find_newer
from app.domain.rules.refusals.recognising import read_refusal
from tests.conftest import NOW

OUT = OptOutState(True, "keyword", NOW - timedelta(hours=1), 1)
OUT_BY_PERSON = OptOutState(True, "person", NOW - timedelta(hours=1), 0)
OUT_JUST_NOW = OptOutState(True, "keyword", NOW, 1)
OUT_A_DAY_AGO = OptOutState(True, "keyword", NOW - timedelta(days=1), 1)
OUT_BEFORE_A_STEP = OptOutState(True, "keyword", NOW + timedelta(seconds=5), 1)
OUT_LONG_AGO = OptOutState(True, "keyword", NOW - timedelta(days=1, seconds=1), 1)
BACK = OptOutState(False, "keyword", NOW - timedelta(hours=1), 2)
NOTHING: frozenset[str] = frozenset()

WISHES = [
    ("STOP", NOTHING, None, Intent.OUT),
    ("STOP", NOTHING, OUT, Intent.OUT),
    ("CANCEL", NOTHING, None, Intent.OUT),
    ("START", NOTHING, None, Intent.BACK),
    ("START", NOTHING, OUT, Intent.BACK),
    ("UNSTOP", NOTHING, OUT_BY_PERSON, Intent.BACK),
    ("Hello", NOTHING, OUT, None),
    # YES only as an answer to an opt-out
    ("YES", NOTHING, None, None),
    ("YES", NOTHING, OUT, Intent.BACK),
    ("YES", NOTHING, BACK, None),
    ("YES", NOTHING, OUT_BY_PERSON, None),
    ("YES", NOTHING, OUT_JUST_NOW, Intent.BACK),
    ("YES", NOTHING, OUT_BEFORE_A_STEP, Intent.BACK),
    ("YES", NOTHING, OUT_A_DAY_AGO, Intent.BACK),
    ("YES", NOTHING, OUT_LONG_AGO, None),
    # a rule's keyword is the rule's
    ("CANCEL", {"cancel"}, None, None),
    ("END", {"end"}, None, None),
    ("Remove please", {"remove"}, None, None),
    ("END", {"cancel"}, None, Intent.OUT),
    ("YES", {"yes"}, OUT, None),
    ("START", {"start"}, None, None),
    # but whoever is out comes back, and some words are no rule's
    ("START", {"start"}, OUT, Intent.BACK),
    ("STOP", {"stop"}, None, Intent.OUT),
    ("STOP ALL", {"stopall"}, None, Intent.OUT),
    ("unsubscribe", {"unsubscribe"}, None, Intent.OUT),
    ("OPT-OUT", {"optout"}, None, Intent.OUT),
    # what only looks so is for a person, unless it is the rule's or they are out already
    ("STOPP", NOTHING, None, Intent.UNSURE),
    ("STOPP", NOTHING, BACK, Intent.UNSURE),
    ("STOPP", NOTHING, OUT, None),
    ("Stopp", {"stopp"}, None, None),
    ("unsubcribe", {"stop"}, None, Intent.UNSURE),
    ("Remove my subscription", {"remove"}, None, None),
    # but a refusal that follows a keyword, or says more than it, is no question to its rule
    ("Hi, stop texting me you crooks", {"hi"}, None, Intent.UNSURE),
    ("hours? and stop texting me", {"hours"}, None, Intent.UNSURE),
    ("stop my subscription", {"stop"}, None, Intent.UNSURE),
    ("stop texting me or I call the police", {"stop"}, None, Intent.UNSURE),
    ("quit texting me", {"quit"}, None, Intent.UNSURE),
    ("quit texting me", {"quit"}, OUT, None),
    ("take me off your list", {"remove"}, None, Intent.UNSURE),
    ("please cancel, thanks", {"cancel"}, None, None),
]


@pytest.mark.parametrize(("text", "owned", "last", "intent"), WISHES)
def test_a_word_means_what_the_rules_and_the_last_word_leave_it(
    text: str, owned: frozenset[str], last: OptOutState | None, intent: Intent | None
) -> None:
    reading = read_refusal(text)
    found = reading and find_intent(reading, text, said_at=NOW, owned=owned, last=last)
    assert found is intent


def test_the_newest_word_is_by_time_then_by_message() -> None:
    older = OptOutState(True, "keyword", NOW, 1)
    assert older.is_older_than(OptOutState(False, "keyword", NOW, 2))
    assert older.is_older_than(OptOutState(False, "keyword", NOW + timedelta(seconds=1), 0))
    assert not older.is_older_than(older)


STOP, START = True, False
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize("word", [STOP, START])
def test_a_clock_that_was_set_back_does_not_turn_the_order_of_arrival(word: bool) -> None:
    last = OptOutState(not word, "keyword", NOW, 5)
    for step in (6 * SECOND, timedelta(days=30)):
        new = OptOutState(word, "keyword", NOW - step, 6)
        found = find_newer(new, last, is_direct=True)
        assert found == OptOutState(word, "keyword", NOW, 6), "else storage would not take it"
        assert not found.is_older_than(last)
    later = OptOutState(word, "keyword", NOW + SECOND, 6)
    assert find_newer(later, last, is_direct=True) is later
    assert find_newer(later, None, is_direct=False) is later
    earlier = OptOutState(word, "keyword", NOW - SECOND, 4)
    assert find_newer(earlier, last, is_direct=True) is None, "it was handled late"


@pytest.mark.parametrize(
    ("word", "seconds", "last_id", "is_direct", "holds"),
    [
        # Two that came at once, to two processes, may have been stored in the other order.
        (STOP, 5, 5, True, True),
        (START, 0.01, 5, True, False),
        (START, 5, 5, True, False),
        # Out of a spool, or beside a word that came in no message, an id tells little.
        (STOP, 5, 5, False, True),
        (STOP, 6, 5, False, False),
        (START, 1, 5, False, False),
        (STOP, 5, 0, True, True),
        (STOP, 6, 0, True, False),
        (START, 1, 0, True, False),
    ],
)
def test_a_refusal_holds_in_doubt(
    word: bool, seconds: float, last_id: int, is_direct: bool, holds: bool
) -> None:
    last = OptOutState(not word, "keyword" if last_id else "person", NOW, last_id)
    new = OptOutState(word, "keyword", NOW - seconds * SECOND, 6)
    assert (find_newer(new, last, is_direct=is_direct) is not None) is holds
