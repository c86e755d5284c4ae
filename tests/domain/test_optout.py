"""The table of opt-outs: what refuses our texts, what asks for them again, what only sounds so."""

from datetime import timedelta

import pytest

from app.domain.optout import LastWord, find_wish, read_opt_word
from tests.conftest import NOW

REFUSALS = {
    # each word that providers know, alone
    "STOP": "stop",
    "STOPALL": "stopall",
    "STOP ALL": "stopall",
    "UNSUBSCRIBE": "unsubscribe",
    "CANCEL": "cancel",
    "END": "end",
    "QUIT": "quit",
    "REVOKE": "revoke",
    "OPTOUT": "optout",
    "OPT-OUT": "optout",
    "OPT OUT": "optout",
    "REMOVE": "remove",
    # case, punctuation, white space
    "Stop": "stop",
    "stop": "stop",
    "sToP": "stop",
    "STOP.": "stop",
    "Stop!!!": "stop",
    "  stop \r\n": "stop",
    '"STOP"': "stop",
    "'stop'": "stop",
    "\u2018Stop\u2019": "stop",
    "(stop)": "stop",
    "- stop -": "stop",
    "stop?": "stop",
    "S.T.O.P.": "stop",
    "Opt-Out.": "optout",
    "opt\u2011out": "optout",
    "\uff33\uff34\uff2f\uff30": "stop",
    "STOP \U0001f64f": "stop",
    "STOP\U0001f621": "stop",
    "*stop*": "stop",
    # politeness
    "stop please": "stop",
    "Please stop": "stop",
    "pls STOP": "stop",
    "Please stop, thanks.": "stop",
    "stop thanks": "stop",
    "Stop, thank you very much": "stop",
    "Hi, please unsubscribe. Thanks!": "unsubscribe",
    "ok stop now": "stop",
    "cancel please": "cancel",
    "End, ta": "end",
    "quit.thanks": "quit",
    "STOP STOP STOP": "stop",
    "stop, please stop": "stop",
    # what is refused
    "STOP NEWS": "stop",
    "stop texts": "stop",
    "Stop texting me": "stop",
    "please stop sending me these messages": "stop",
    "stop all messages please": "stopall",
    "unsubscribe me": "unsubscribe",
    "opt-out me": "optout",
    "remove me from your list": "remove",
    "Remove my number please": "remove",
}
BRINGS_BACK = {
    "START": "start",
    "start please": "start",
    "Start!": "start",
    "UNSTOP": "unstop",
    "un-stop": "unstop",
    "YES": "yes",
    "yes please": "yes",
    "Yes.": "yes",
}
SENTENCES = [
    "don't stop",
    "dont stop",
    "Don\u2019t stop!",
    "please don't stop",
    "the bus stop",
    "I am at the bus stop",
    "stop the bus",
    "Does the 12 stop at the park?",
    "non-stop",
    "Stop worrying, I am on my way",
    "stopped",
    "stops",
    "Can you stop by the shop?",
    "stop by later please",
    "I can't stop laughing",
    "one stop shop",
    "full stop",
    "Reply STOP to opt out",
    "Text STOP to 60777",
    "STOP to end",
    "cancel my appointment",
    "Please cancel the order",
    "cancel it",
    "The end",
    "end of the month",
    "weekend",
    "at the end",
    "quit smoking",
    "remove the blue one",
    "I start on Monday",
    "start the car",
    "Start me up",
    "yes I can come",
    "yesterday",
    "not stop",
    "stop it",
    "please",
    "thanks",
    "",
    "?!",
    "\U0001f6d1",
    "unsubscribed people come back",
    "stop " + "texts " * 60,
]


@pytest.mark.parametrize(("text", "word"), [*REFUSALS.items(), *BRINGS_BACK.items()])
def test_a_word_is_understood_however_it_is_written(text: str, word: str) -> None:
    assert read_opt_word(text) == word


@pytest.mark.parametrize("text", SENTENCES)
def test_a_sentence_that_merely_contains_a_word_is_none(text: str) -> None:
    assert read_opt_word(text) is None


OUT = LastWord(True, "keyword", NOW - timedelta(hours=1), 1)
OUT_BY_PERSON = LastWord(True, "person", NOW - timedelta(hours=1), 0)
OUT_LONG_AGO = LastWord(True, "keyword", NOW - timedelta(days=3), 1)
BACK = LastWord(False, "keyword", NOW - timedelta(hours=1), 2)
NOTHING: frozenset[str] = frozenset()

WISHES = [
    ("STOP", NOTHING, None, True),
    ("STOP", NOTHING, OUT, True),
    ("CANCEL", NOTHING, None, True),
    ("START", NOTHING, None, False),
    ("START", NOTHING, OUT, False),
    ("UNSTOP", NOTHING, OUT_BY_PERSON, False),
    ("Hello", NOTHING, OUT, None),
    # YES only as an answer to an opt-out
    ("YES", NOTHING, None, None),
    ("YES", NOTHING, OUT, False),
    ("YES", NOTHING, BACK, None),
    ("YES", NOTHING, OUT_BY_PERSON, None),
    ("YES", NOTHING, OUT_LONG_AGO, None),
    # a rule's keyword is the rule's
    ("CANCEL", {"cancel"}, None, None),
    ("END", {"end"}, None, None),
    ("Remove please", {"remove"}, None, None),
    ("END", {"cancel"}, None, True),
    ("YES", {"yes"}, OUT, None),
    ("START", {"start"}, None, None),
    # but whoever is out comes back, and some words are no rule's
    ("START", {"start"}, OUT, False),
    ("STOP", {"stop"}, None, True),
    ("STOP ALL", {"stopall"}, None, True),
    ("unsubscribe", {"unsubscribe"}, None, True),
    ("OPT-OUT", {"optout"}, None, True),
]


@pytest.mark.parametrize(("text", "owned", "last", "wish"), WISHES)
def test_a_word_means_what_the_rules_and_the_last_word_leave_it(
    text: str, owned: frozenset[str], last: LastWord | None, wish: bool | None
) -> None:
    assert find_wish(text, said_at=NOW, owned=owned, last=last) is wish


def test_the_newest_word_is_by_time_then_by_message() -> None:
    older = LastWord(True, "keyword", NOW, 1)
    assert older.is_older_than(LastWord(False, "keyword", NOW, 2))
    assert older.is_older_than(LastWord(False, "keyword", NOW + timedelta(seconds=1), 0))
    assert not older.is_older_than(older)
