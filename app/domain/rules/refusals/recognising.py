"""Recognises opt-outs in the many forms that people write.

The words are those that UK and US providers use. A refusal is short: its word, polite phrases, and
for the plainest words what is refused ("stop texting me", "remove me from your list"). With any
other word it is a sentence that merely contains one.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from app.domain.keywords import fold_text, split_words
from app.domain.rules.refusals.abroad import is_refusal_abroad
from app.domain.rules.refusals.look_alikes import replace_look_alikes
from app.domain.rules.refusals.phrases import HINTS, has_phrase
from app.domain.rules.refusals.signatures import cut_endings
from app.domain.rules.refusals.slips import are_alike
from app.domain.rules.refusals.words import (
    ANSWER_WORD,
    ASKING,
    BAG,
    DOUBTFUL,
    END,
    KNOWN,
    LEAVE,
    OPT_IN_WORDS,
    OPT_OUT_WORDS,
    PERSONAL,
    PLAIN,
    POINTERS,
    POLITE,
    PROTECTED,
    SENTENCE_END,
    SUBSCRIPTIONS,
    TEXTS,
    TEXTS_ALONE,
    TOLD_OF,
    list_words,
    rewrite,
)

LONGEST_REFUSAL = 200
# A text that only repeats one word may be longer.
LONGEST_REPETITION = 2000
# A refusal among other sentences has at most so many words.
MOST_WORDS = 12
# So many words may be misspelt, or written in parts.
MOST_STRANGE = 2
_NO = frozenset({"no", "nope", "nah"})
# Of which one may stand in a sentence that refuses.
_LEADING = PROTECTED | {"unsub", "optmeout", "opt", "remove", "take", "delete", "erase"}
# Perhaps no number or person, but what was ordered.
_WHATEVER = POINTERS - {"list", "lists", "database", "contacts"}

_INITIALS = re.compile(r"(?<!\w)(?:\w[.,/\-_*\s]+){2,}\w?(?!\w)")
# :D <3 xD !!1
_EMOTICONS = re.compile(
    r"(?<!\w)(?:[:;=][-'^]?[dposxc]|<3+|d[:;=]|x+d+)(?!\w)|(?<=!)1+(?!\w)", re.IGNORECASE
)
# Each emoticon has one of these: a text without any need not be searched for them.
_OF_EMOTICONS = re.compile(r"[:;=<]|xd|!1", re.IGNORECASE)
_DOUBLED = re.compile(r"(.)\1+")
_SAID_IN_PARTS = PROTECTED | OPT_IN_WORDS
_INITIALED = OPT_OUT_WORDS | OPT_IN_WORDS
# Perhaps who is refused, or who refuses.
_NAMED = re.compile(
    r"\W*(?:(?:STOP|STOPALL|UNSUBSCRIBE|OPTOUT) +[^\W\d_a-z][\w&'-]*(?: +(?i:please|pls|thanks))?"
    r"|(?i:stop|unsubscribe)[.,!]+\s+[A-Z]\w+(?: [A-Z]\w+)?)\W*"
)


@dataclass(frozen=True, slots=True)
class Reading:
    """`word` is from the sets above or YES; if `is_sure` is false, a person should look."""

    word: str
    is_sure: bool = True


# Cached: previews and the flow ask for the same texts repeatedly.
@lru_cache(maxsize=1024)
def read_refusal(body: str, names: frozenset[str] = frozenset()) -> Reading | None:
    """What a text says about receiving texts; None if nothing.

    `names` are folded words by which we are known to the sender, or they to us.
    """
    if len(body) > LONGEST_REPETITION:
        return None
    plain = replace_look_alikes(body)
    # Joined first: of S, T, O and P in a line each, the last three would pass for a name below.
    text = cut_endings(_INITIALS.sub(_join_initials, plain))
    faceless = _EMOTICONS.sub(" ", text) if _OF_EMOTICONS.search(text) else text
    words = split_words(faceless)
    if not words:
        return None
    if len(words) <= MOST_WORDS:  # saves most texts' time
        words = [each if each in KNOWN else _shorten(each) for each in words]
    if len(text) > LONGEST_REFUSAL and len(set(words)) > 1:
        return _find_phrase(words, text, names)
    found = None
    if (joined := "".join(words)) in _SAID_IN_PARTS:
        found = Reading(joined)
    strange = {each for each in set(words) - KNOWN if not each.isdecimal()} - names
    if found is None and len(strange) <= MOST_STRANGE:  # saves most texts' time
        found = _read_words(rewrite(words), names) or _read_misspelt(words, names)
    if found is None and _looks_like_one(body, words if plain is body else split_words(body)):
        found = Reading("stop", is_sure=False)
    if found is None and not HINTS.isdisjoint(words):
        found = _find_phrase(words, text, names)
    return found


def _looks_like_one(body: str, words: list[str]) -> bool:
    """STOP JS, Stop. Anna Lee, and the words of other countries."""
    return _NAMED.fullmatch(body) is not None or is_refusal_abroad(words)


@lru_cache(maxsize=4096)
def _shorten(word: str) -> str:
    """please for pleeease, now for nowww."""
    short = _DOUBLED.sub(r"\1", word)
    return short if short in POLITE else word


def _join_initials(found: re.Match[str]) -> str:
    """S.T.O.P. and S T O P are words, other single letters are not."""
    joined = "".join(each for each in found.group() if each.isalpha())
    is_word = fold_text(joined) in _INITIALED
    return f" {joined} " if is_word else found.group()


def _read_words(text: str, names: Collection[str]) -> Reading | None:
    """What folded words say, all of them understood; None where some are not."""
    asking = ASKING.match(text)
    words = text[asking.end() if asking else 0 :].split()
    found: Reading | None = None
    is_mixed = False
    place = 0
    while place < len(words):
        word = words[place]
        if word in OPT_OUT_WORDS:
            end = place + 1
            while end < len(words) and _is_filling(words[end], names, word):
                end += 1
            said = _judge(word, words[place + 1 : end], names, is_asking=asking is not None)
            if said is None:
                return None
            if found is not None and found.word not in OPT_OUT_WORDS:
                said = Reading(word, said.is_sure and word not in END)  # yes, cancel
            found = said
            place = end
        elif word in OPT_IN_WORDS or word == ANSWER_WORD:
            if found is not None and found.word in OPT_OUT_WORDS:
                is_mixed = True
                place += 1
                continue
            if asking or (found is not None and found.word != word):
                return None
            found = Reading(word)
            place += 1
        elif word in POLITE or word in names:
            place += 1
        else:
            return None
    return found and _weigh(found, words, is_mixed=is_mixed)


def _weigh(found: Reading, words: list[str], *, is_mixed: bool) -> Reading | None:
    """What is left beside an opposite: "stop start" is doubtful, "yes and no" says nothing."""
    if found.word not in OPT_OUT_WORDS and not _NO.isdisjoint(words):
        return None
    return Reading(found.word, is_sure=False) if is_mixed else found


def _is_filling(word: str, names: Collection[str], core: str) -> bool:
    return word == core or word in POLITE or word in BAG or word in names or word.isdecimal()


def _judge(
    word: str, following: list[str], names: Collection[str], *, is_asking: bool
) -> Reading | None:
    """What an opt-out word means with what is refused behind it."""
    others = [each for each in following if each not in POLITE and each != word]
    digits = "".join(each for each in others if each.isdecimal())
    if digits and (len(digits) < 4 or word not in PLAIN | LEAVE):  # stop 5, cancel 60777
        return None
    known = set(others)
    if word in END:
        if "of" in known:  # end of message
            return None
        if not others:
            return None if is_asking else Reading(word)
        if known & SUBSCRIPTIONS:
            return Reading(word, is_sure=False)
        return Reading(word) if known & TEXTS_ALONE and not known & DOUBTFUL else None
    refuses_texts = bool(known & TEXTS)
    is_named = bool(known & POINTERS or known & set(names) or digits)
    if word in PLAIN and others and not (refuses_texts or is_named or known & DOUBTFUL):
        return None
    if word == "remove" and known and known <= _WHATEVER:
        return Reading(word, is_sure=False)
    is_sure = not known & DOUBTFUL and (not is_asking or refuses_texts or word in LEAVE)
    return Reading(word, is_sure)


# Short words that are no slip of the finger.
_OTHER_WORDS = list_words(
    "shop step top stops stoop stow atop revoked outout swop slop stomp sop cancer cancels evoke"
    " remote removed removes remover subscribe subscribed subscriber resubscribe texts"
)
_OFTEN_MISSPELT = {
    **dict.fromkeys(("stop", "stopall", "optout", "cancel", "remove", "revoke"), 1),
    "unsubscribe": 3,
}
_OFTEN_BESIDE = {"sending", "please", "thanks", "number", "database"}
_OBJECTS_MISSPELT = tuple(each for each in sorted(TEXTS | _OFTEN_BESIDE) if len(each) >= 5)


# Words without the spaces between them: stopplease, STOP60777, optmeout.
_PART = re.compile(
    "|".join(
        [
            "stop|optmeout|optout|remove|unsubscribe|[0-9]{4,}",
            *sorted(
                (each for each in TEXTS | POINTERS | POLITE | {"me", "us"} if len(each) > 1),
                key=len,
                reverse=True,
            ),
        ]
    )
)
_GLUED = re.compile(
    rf"(?=.*(?:stop|optmeout|unsubscribe|removeme))(?:{_PART.pattern})(?:{_PART.pattern})*"
)


def _read_misspelt(words: list[str], names: Collection[str]) -> Reading | None:
    """A refusal except for one misspelt word."""
    for changed in _list_corrected(words):
        said = _read_words(rewrite(changed), names)
        if said is not None and said.word in OPT_OUT_WORDS:
            return Reading(said.word, is_sure=False)
    return None


def _find_phrase(words: list[str], text: str, names: frozenset[str]) -> Reading | None:
    """What would be a refusal by itself, amid other words."""
    rewritten = rewrite(words)
    if any(has_phrase(each) for each in {" ".join(words), rewritten}):
        return None if TOLD_OF.search(rewritten) else Reading("stop", is_sure=False)
    return _find_sentence(text, names, is_personal=not PERSONAL.isdisjoint(words))


def _find_sentence(text: str, names: frozenset[str], *, is_personal: bool) -> Reading | None:
    """A sentence that is a refusal, among others that are not."""
    if _LEADING.isdisjoint(split_words(text)):
        return None
    for sentence in SENTENCE_END.split(text):
        words = split_words(sentence)
        if len(words) <= MOST_WORDS and not _LEADING.isdisjoint(words):
            said = _read_words(rewrite(words), names)
            if said is None or not (is_personal or TEXTS & {*words}):
                continue
            if said.word in PROTECTED or (said.word == "remove" and said.is_sure):
                return Reading(said.word, is_sure=False)
    return None


def _list_corrected(words: list[str]) -> Iterator[list[str]]:
    """The words with one of them, or two joined, corrected."""
    for place, word in enumerate(words):
        for meant in _list_meant(word) if word not in KNOWN else ():
            yield [*words[:place], meant, *words[place + 1 :]]
    for place, pair in enumerate(pairwise(words)):
        if _OTHER_WORDS.isdisjoint(pair) and "".join(pair).isalpha():
            for meant in _list_meant("".join(pair)):
                yield [*words[:place], meant, *words[place + 2 :]]


@lru_cache(maxsize=4096)
def _list_meant(word: str) -> tuple[str, ...]:
    """The words of a refusal that somebody may have meant by this one."""
    if word in _OTHER_WORDS or len(word) > 20:
        return ()
    letters = word.replace("0", "o")
    short = re.sub(r"(.)\1+", r"\1", letters)  # stooop, STOPPPP
    found = [
        meant
        for meant, most in _OFTEN_MISSPELT.items()
        if short == meant or are_alike(letters, meant, most)
    ]
    found += [
        each for each in _OBJECTS_MISSPELT if each[0] == word[0] and are_alike(letters, each, 1)
    ]
    if _GLUED.fullmatch(word):
        found.append(" ".join(_PART.findall(word)))
    elif short.startswith("stop") and short[4:] in TEXTS | POINTERS:
        found.append(f"stop {short[4:]}")
    return tuple(found)
