"""What a refusal or a return means, beside the rules and what the sender said before."""

from datetime import timedelta

import pytest

from app.domain.rules.opt_outs import Intent, OptOutState, find_intent
from app.domain.rules.refusals.recognising import read_refusal
from tests.conftest import NOW

OUT = OptOutState(True, "keyword", NOW - timedelta(hours=1), 1)
OUT_BY_PERSON = OptOutState(True, "person", NOW - timedelta(hours=1), 0)
OUT_JUST_NOW = OptOutState(True, "keyword", NOW, 1)
OUT_A_DAY_AGO = OptOutState(True, "keyword", NOW - timedelta(days=1), 1)
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
