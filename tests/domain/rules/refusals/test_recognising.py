"""What refuses our texts, what asks for them again, and what only sounds so."""

import time

import pytest

from app.domain.rules.refusals.recognising import Reading, read_refusal
from app.domain.rules.refusals.words import OPT_OUT_WORDS
from tests.domain.rules.refusals.doubtful import UNSURE
from tests.domain.rules.refusals.refused import MORE_REFUSALS
from tests.domain.rules.refusals.sentences import SENTENCES
from tests.domain.rules.refusals.written import REFUSED
from tests.domain.rules.refusals.written_doubtful import DOUBTFUL
from tests.domain.rules.refusals.written_ordinary import ORDINARY

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
    "S\nT\nO\nP": "stop",
    "S,\r\nT,\r\nO,\r\nP.\r\nJane Smith": "stop",
    "S T O P\n\nSent from my iPhone": "stop",
    "STOP\nJ": "stop",
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
    "Yes yes": "yes",
    "please START thanks": "start",
}


@pytest.mark.parametrize(("text", "word"), [*REFUSALS.items(), *BRINGS_BACK.items()])
def test_a_word_is_understood_however_it_is_written(text: str, word: str) -> None:
    assert read_refusal(text) == Reading(word)


@pytest.mark.parametrize("text", MORE_REFUSALS + REFUSED)
def test_a_refusal_is_understood_as_people_write_it(text: str) -> None:
    reading = read_refusal(text)
    assert reading is not None
    assert reading.word in OPT_OUT_WORDS
    assert reading.is_sure is True


@pytest.mark.parametrize("text", UNSURE + DOUBTFUL)
def test_what_looks_like_a_refusal_is_left_to_a_person(text: str) -> None:
    reading = read_refusal(text)
    assert reading is not None
    assert reading.word in OPT_OUT_WORDS
    assert reading.is_sure is False


@pytest.mark.parametrize("text", SENTENCES + ORDINARY)
def test_a_sentence_that_merely_contains_a_word_is_none(text: str) -> None:
    assert read_refusal(text) is None


@pytest.mark.parametrize("text", ["no start", "yes and no", "nope, yes", "Nah, unstop"])
def test_a_no_beside_a_yes_brings_nobody_back(text: str) -> None:
    assert read_refusal(text) is None


def test_the_name_that_people_see_may_be_refused() -> None:
    assert read_refusal("STOP ACME") == Reading("stop", is_sure=False)
    assert read_refusal("Stop texts from ACME please", frozenset({"acme"})) == Reading("stop")
    assert read_refusal("STOP ACME", frozenset({"acme"})) == Reading("stop")


@pytest.mark.parametrize(
    "text",
    [
        "stop " * 390,
        "S " * 990,
        "a.b." * 490,
        "thanks " * 280,
        "sent from " * 190,
        "dont want to be get " * 90,
        "-" * 1990,
        "\n" * 1990,
        "x" * 1990,
    ],
)
def test_no_text_takes_long_to_read(text: str) -> None:
    began = time.perf_counter()
    read_refusal(text)
    assert time.perf_counter() - began < 0.5
