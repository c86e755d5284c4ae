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
from app.domain.rules.refusal_words import (
    ABROAD,
    ANSWER_WORD,
    ASKING,
    BAG,
    DOUBTFUL,
    END,
    HINTS,
    KNOWN,
    LEAVE,
    OPT_IN_WORDS,
    OPT_OUT_WORDS,
    PERSONAL,
    PLAIN,
    POINTERS,
    POLITE,
    PROTECTED,
    REWRITES,
    REWRITTEN,
    SENTENCE_END,
    SURE_PHRASE,
    TEXTS,
    TEXTS_ALONE,
    TOLD_OF,
    list_words,
)
from app.domain.rules.signatures import cut_endings
from app.domain.rules.slips import are_alike

LONGEST_REFUSAL = 200
# A text that only repeats one word may be longer.
LONGEST_REPETITION = 2000
# Of a sentence amid others.
MOST_WORDS = 12
# A word that is misspelt, or parted.
MOST_STRANGE = 2

# Letters of other alphabets, and in boxes, that pass for those of STOP and the others.
_LOOK_ALIKES: dict[int, str | int] = {
    **str.maketrans(
        "\u0405\u0422\u041e\u0420\u0421\u0415\u0455\u0442\u043e\u0440\u0441\u0435"
        "\u03a4\u039f\u03a1\u03a3\u03c4\u03bf\u03c1\ua731\u1d1b\u1d0f\u1d18\u0585",
        "STOPCEstopceTOPStopstopo",
    ),
    **{
        first + place: chr(ord("A") + place)
        for first in (0x1F130, 0x1F150, 0x1F170)
        for place in range(26)
    },
}
_LOOK_ALIKE = re.compile(f"[{''.join(map(chr, _LOOK_ALIKES))}]")
_INITIALS = re.compile(r"(?<!\w)(?:\w[.,/\-_*\s]+){2,}\w?(?!\w)")
_SAID_IN_PARTS = PROTECTED | OPT_IN_WORDS
_INITIALED = OPT_OUT_WORDS | OPT_IN_WORDS
# Perhaps who is refused, or who refuses.
_NAMED = re.compile(
    r"\W*(?:(?:STOP|STOPALL|UNSUBSCRIBE|OPTOUT) +[^\W\d_a-z]+"
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
    is_plain = body.isascii() or _LOOK_ALIKE.search(body) is None
    text = cut_endings(body if is_plain else body.translate(_LOOK_ALIKES))
    words = split_words(_INITIALS.sub(_join_initials, text))
    if not words:
        return None
    if len(text) > LONGEST_REFUSAL and len(set(words)) > 1:
        return _find_phrase(words, text, names)
    found = None
    if (joined := "".join(words)) in _SAID_IN_PARTS:
        found = Reading(joined)
    strange = {each for each in set(words) - KNOWN if not each.isdecimal()} - names
    if found is None and len(strange) <= MOST_STRANGE:  # saves most texts' time
        found = _read_words(_rewrite(words), names) or _read_misspelt(words, names)
    if found is None and _looks_like_one(body, words if is_plain else split_words(body)):
        found = Reading("stop", is_sure=False)
    if found is None and not HINTS.isdisjoint(words):
        found = _find_phrase(words, text, names)
    return found


def _looks_like_one(body: str, words: list[str]) -> bool:
    """STOP JS, Stop. Anna Lee, and the words of other countries."""
    if _NAMED.fullmatch(body):
        return True
    if ABROAD.isdisjoint(words):
        return False
    return {*words} - POLITE <= ABROAD and sum(each not in POLITE for each in words) == 1


def _join_initials(found: re.Match[str]) -> str:
    """S.T.O.P. and S T O P are words, other single letters are not."""
    joined = "".join(each for each in found.group() if each.isalpha())
    is_word = fold_text(joined) in _INITIALED
    return f" {joined} " if is_word else found.group()


def _rewrite(words: list[str]) -> str:
    text = " ".join(words)
    if REWRITTEN.search(text) is None:  # saves most texts' time
        return text
    for pattern, said in REWRITES:
        text = pattern.sub(said, text)
    return text


def _read_words(text: str, names: Collection[str]) -> Reading | None:
    """What folded words say, all of them understood; None where some are not."""
    asking = ASKING.match(text)
    words = text[asking.end() if asking else 0 :].split()
    found: Reading | None = None
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
                return Reading(found.word, is_sure=False)
            if asking or (found is not None and found.word != word):
                return None
            found = Reading(word)
            place += 1
        elif word in POLITE or word in names:
            place += 1
        else:
            return None
    return found


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
        return Reading(word) if known & TEXTS_ALONE and not known & DOUBTFUL else None
    refuses_texts = bool(known & TEXTS)
    is_named = bool(known & POINTERS or known & set(names) or digits)
    if word in PLAIN and others and not (refuses_texts or is_named or known & DOUBTFUL):
        return None
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
_OBJECTS_MISSPELT = tuple(each for each in sorted(TEXTS | {"sending"}) if len(each) >= 5)


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
        said = _read_words(_rewrite(changed), names)
        if said is not None and said.word in OPT_OUT_WORDS:
            return Reading(said.word, is_sure=False)
    return None


def _find_phrase(words: list[str], text: str, names: frozenset[str]) -> Reading | None:
    """What would be a refusal by itself, amid other words."""
    if any(SURE_PHRASE.search(each) for each in (" ".join(words), _rewrite(words))):
        return None if TOLD_OF.search(_rewrite(words)) else Reading("stop", is_sure=False)
    if not PERSONAL.isdisjoint(words):
        return _find_sentence(text, names)
    return None


def _find_sentence(text: str, names: frozenset[str]) -> Reading | None:
    """A sentence that is a refusal, among others that are not."""
    for sentence in SENTENCE_END.split(text):
        words = split_words(sentence)
        if len(words) <= MOST_WORDS and not PROTECTED.isdisjoint(words):
            said = _read_words(_rewrite(words), names)
            if said is not None and said.word in PROTECTED:
                return Reading(said.word, is_sure=False)
    return None


def _list_corrected(words: list[str]) -> Iterator[list[str]]:
    """The words with one of them, or two joined, corrected."""
    for place, word in enumerate(words):
        for meant in _list_meant(word):
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
