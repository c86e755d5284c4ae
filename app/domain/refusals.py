"""Recognises opt-outs in the many forms that people write.

The words are those that UK and US providers use. A refusal is short: its word, polite phrases, and
for the plainest words what is refused ("stop texting me", "remove me from your list"). With any
other word it is a sentence that merely contains one.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache

from app.domain.keywords import fold_text, split_words
from app.domain.signatures import cut_endings
from app.domain.slips import MOST_SLIPS, measure_slips


def _list_words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# These are always a refusal, whatever rules have as keywords.
PROTECTED = frozenset({"stop", "stopall", "unsubscribe", "optout"})
OPT_OUT_WORDS = PROTECTED | {"cancel", "end", "quit", "revoke", "remove"}
OPT_IN_WORDS = frozenset({"start", "unstop"})
ANSWER_WORD = "yes"

LONGEST_REFUSAL = 200
# A text that only repeats one word may be longer.
LONGEST_REPETITION = 2000

_POLITE = _list_words(
    "please pls plz plse pleas plss plzz pleeease thanks thank thankyou thx thnx thnks ty ta tnx"
    " cheers you u very much many kindly sorry hi hiya hello hey dear ok okay k just now"
    " immediately asap regards kind sir madam x xx xxx xxxx xo xoxo no nope and so mate guys folks"
    " team love again forever already right away today at once simply best wishes bye goodbye"
    " fucking bloody damn ffs effing fuckin omg oi amen really"
    # Beside English words
    " bitte danke merci svp sil vous te plait pla\u00eet favor por gracias grazie obrigado obrigada"
    " dzieki prosze tack tak diolch"
)
# What is refused; one of these words must follow a plain STOP.
_TEXTS = _list_words(
    "text texts texting txt txts txting txtin textin texted message messages messaging messagin msg"
    " msgs msging sms smses mail mails email emails emailing news newsletter newsletters alert"
    " alerts offer offers update updates promo promos promotion promotions promotional marketing ad"
    " ads advert adverts advertising advertisement advertisements spam spamming notification"
    " notifications reminder reminders info contact contacting communication communications"
    " bothering pestering harassing calling deals vouchers sending send sent"
)
# Only texts: CANCEL and END may be about many other things.
_TEXTS_ALONE = _list_words(
    "text texts texting txt txts txting textin message messages messaging msg msgs msging sms smses"
    " sending"
)
_POINTERS = _list_words("it that this these those them all any everything list lists database")
_BETWEEN = _list_words(
    "me us my our mine your yours ur the more further to from on getting get got"
    " receiving receive recieving recieve anymore ever phone mobile cell number numbers off with"
    " about by via in kind of unwanted annoying details"
)
# May be about more than texts: a person has to look.
_DOUBTFUL = _list_words("subscription subscriptions service services lol lmao haha hahaha ha")
_BAG = _TEXTS | _POINTERS | _BETWEEN | _DOUBTFUL

_PLAIN = frozenset({"stop", "stopall"})
_LEAVE = frozenset({"unsubscribe", "optout", "remove"})
_END = frozenset({"cancel", "end", "quit", "revoke"})

_TEXT = "(?:" + "|".join(sorted(_TEXTS, key=len, reverse=True)) + ")"
_NOT = "(?:dont|do not|never|didnt|did not|doesnt|wont|not to|not)"
_ACT = "(?:text|txt|message|msg|contact|send|email|call|bother|ring)"
# I no longer wish to receive these messages
_NO_WISH = (
    "(?:i|we)? ?(?:really )?(?:dont|do not|no longer) (?:want|wish|need|wanna)"
    "(?: to)?(?: be| get| have| receive| receiving| getting)*"
    f"(?= (?:any |more |further |these |those |your |ur |the |this |of )*{_TEXT}\\b)"
)
# Other phrases, replaced by the words above; applied in this order to folded words.
_REWRITES = tuple(
    (re.compile(rf"\b(?:{pattern})\b"), words)
    for pattern, words in (
        ("stop all", "stopall"),
        ("opt out|opting out", "optout"),
        ("opt (me|us|this number|my number) out", r"optout \1"),
        ("un (stop|subscribe)", r"un\1"),
        ("unsub|unsubscribe", "unsubscribe"),
        ("(?:take|get) (me|us|my number|this number) off", r"remove \1 from"),
        ("delete (me|us|my number|this number)", r"remove \1"),
        ("be (?:taken off|removed)", "remove me"),
        (
            rf"(?:do not|dont|never) (?:ever )?(?:{_ACT} or )?{_ACT} (me|us|my|this|any)",
            r"stop texting \1",
        ),
        (f"no (?:more|further)(?= (?:of )?(?:these |those |the |your |ur )?{_TEXT}\\b)", "stop"),
        (_NO_WISH, "stop"),
        ("(?:i |we )?(?:do not|dont) (?:want|wish) to be (?:contacted|texted)", "stop texting me"),
        ("(?:do not|dont) send (?=again|anymore|any more)", "stop sending "),
        ("i (?:already )?said (?=stop|unsubscribe)|(?:i )?(?:told|asked) you to (?=stop)", ""),
        ("cease(?: and desist)?", "stop"),
        ("leave me alone", "stop it"),
        ("(?:i am|im|we are|were) (?:not|no longer) interested", "sorry"),
        ("(?:not|no longer) interested", "sorry"),
        (
            "(?:this is |its |you have |you got |uve got )?(?:a |the )?wrong (?:number|person)",
            "sorry",
        ),
        ("who (?:is this|are you)", "sorry"),
        ("no (?:thanks|thank you|ta)", "sorry"),
        ("(?:yes|yeah|yep) (?=(?:please |pls )?(?:stop|unsubscribe|optout))", ""),
        ("(?:the |to )?(?:fuck|hell) ", ""),
    )
)
# A request to stop, or a question how to: the bare word may then mean something else.
_ASKING = re.compile(
    r"^(?:(?:please|hi|hello|hey|ok|so|and) )*(?:"
    r"(?:please )?(?:can|could|would|will) (?:you|u|we|i)(?: guys)?(?: please| pls| plz| just)*"
    r"|(?:i|we)(?: really| just)? (?:want|wish|need|like)(?: you| u| this| these| it)? to"
    r"|(?:i|we)(?: would|d)? like(?: you| u)? to|id like(?: you| u)? to"
    r"|how (?:do|can|to)(?: i| we| you)?|(?:you|u) (?:need|have|must)(?: to)?|want to|wanna"
    r") "
)
_SURE_PHRASE = re.compile(
    r"\b(?:stop|quit|cease) (?:\w+ )?(?:send|text|txt|messag|msg|contact|spam)\w*"
    r" (?:\w+ )?(?:me|us)\b"
    r"|^(?:please )?stop (?:or|otherwise)\b"
    r"|\bunsubscribe me\b|\boptout me\b|\bremove (?:me|my number) from\b"
)
# Not to do it, or whether it was done.
_TOLD_OF = re.compile(
    rf"\b(?:{_NOT}|(?:did|have|has|had|why) (?:you|u|they|he|she|it)?) (?:\w+ )?"
    r"(?:stop|quit|cease|unsubscribe|optout|remove)\b"
)
_HINTS = _list_words("stop quit cease unsub unsubscribe opt optout remove take get delete")
_KNOWN = (
    _POLITE
    | _BAG
    | OPT_OUT_WORDS
    | OPT_IN_WORDS
    | {ANSWER_WORD, "unsub", "optout"}
    | frozenset(
        word
        for pattern in (_ASKING, *(each for each, _ in _REWRITES))
        for word in re.findall("[a-z]+", pattern.pattern)
    )
)

_INITIALS = re.compile(r"(?<!\w)(?:\w[.\-_*\s]+){2,}\w?(?!\w)")


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
    text = cut_endings(body)
    words = split_words(_INITIALS.sub(_join_initials, text))
    if not words or (len(text) > LONGEST_REFUSAL and len(set(words)) > 1):
        return None
    strange = [each for each in words if each not in _KNOWN and each not in names]
    strange = [each for each in strange if not each.isdecimal()]
    found = None if strange else _read_words(_rewrite(words), names)
    if found is None and len(words) <= 3 and "".join(words) in PROTECTED | OPT_IN_WORDS:
        found = Reading("".join(words))
    if found is None and len(words) <= MOST_WORDS and len(strange) <= MOST_STRANGE:
        found = _read_misspelt(words, names)
    if found is None and not _HINTS.isdisjoint(words):
        found = _find_phrase(words)
    return found


def _join_initials(found: re.Match[str]) -> str:
    """S.T.O.P. and S T O P are words, other single letters are not."""
    joined = "".join(each for each in found.group() if each.isalpha())
    is_word = fold_text(joined) in OPT_OUT_WORDS | OPT_IN_WORDS
    return f" {joined} " if is_word else found.group()


def _rewrite(words: list[str]) -> str:
    text = " ".join(words)
    for pattern, said in _REWRITES:
        text = pattern.sub(said, text)
    return text


def _read_words(text: str, names: Collection[str]) -> Reading | None:
    """The meaning of folded words; None unless all of them are understood."""
    asking = _ASKING.match(text)
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
            found = said if found is None or found.is_sure else found
            place = end
        elif word in OPT_IN_WORDS or word == ANSWER_WORD:
            if asking or (found is not None and found.word != word):
                return None
            found = Reading(word)
            place += 1
        elif word in _POLITE or word in names:
            place += 1
        else:
            return None
    return found


def _is_filling(word: str, names: Collection[str], core: str) -> bool:
    return word == core or word in _POLITE or word in _BAG or word in names or word.isdecimal()


def _judge(
    word: str, following: list[str], names: Collection[str], *, is_asking: bool
) -> Reading | None:
    """The meaning of an opt-out word and the words after it."""
    others = [each for each in following if each not in _POLITE and each != word]
    digits = "".join(each for each in others if each.isdecimal())
    if digits and (len(digits) < 4 or word not in _PLAIN | _LEAVE):  # stop 5, cancel 60777
        return None
    known = set(others)
    if word in _END:
        if not others:
            return None if is_asking else Reading(word)
        return Reading(word) if known & _TEXTS_ALONE and not known & _DOUBTFUL else None
    refuses_texts = bool(known & _TEXTS)
    is_named = bool(known & _POINTERS or known & set(names) or digits)
    if word in _PLAIN and others and not (refuses_texts or is_named or known & _DOUBTFUL):
        return None
    is_sure = not known & _DOUBTFUL and (not is_asking or refuses_texts or word in _LEAVE)
    return Reading(word, is_sure)


MOST_WORDS = 12
MOST_STRANGE = 2

# Correct short words, not typing errors.
_OTHER_WORDS = _list_words(
    "shop step steps top stops stopped stopping swop slop stock stomp strap drop sop pot spot post"
    " cancer cancels cancelled canceled evoke remote removed removes remover subscribe subscribed"
    " subscriber resubscribe quite quiet output texts"
)
_OFTEN_MISSPELT = {
    **dict.fromkeys(("stop", "stopall", "optout", "cancel", "remove", "revoke"), 1),
    "unsubscribe": MOST_SLIPS,
}
_OBJECTS_MISSPELT = tuple(each for each in sorted(_TEXTS | {"sending"}) if len(each) >= 5)


def _read_misspelt(words: list[str], names: Collection[str]) -> Reading | None:
    """A refusal except for one misspelt word."""
    for changed in _list_corrected(words):
        said = _read_words(_rewrite(changed), names)
        if said is not None and said.word in OPT_OUT_WORDS:
            return Reading(said.word, is_sure=False)
    return None


def _find_phrase(words: list[str]) -> Reading | None:
    """A refusal among other words."""
    text = _rewrite(words)
    if _SURE_PHRASE.search(text) and not _TOLD_OF.search(text):
        return Reading("stop", is_sure=False)
    return None


def _list_corrected(words: list[str]) -> Iterator[list[str]]:
    """The words with one of them, or two joined, corrected."""
    for place, word in enumerate(words):
        for meant in _list_meant(word):
            yield [*words[:place], meant, *words[place + 1 :]]
        following = words[place + 1] if place + 1 < len(words) else ""
        if following and not (word + following).isalpha():
            continue
        for meant in _list_meant(word + following) if following else ():
            yield [*words[:place], meant, *words[place + 2 :]]


@lru_cache(maxsize=4096)
def _list_meant(word: str) -> tuple[str, ...]:
    """The opt-out words that this word may be a misspelling of."""
    if word in _OTHER_WORDS or word in _BAG | _POLITE or word in OPT_OUT_WORDS or len(word) > 20:
        return ()
    letters = word.replace("0", "o").replace("5", "s").replace("1", "l")
    # Repeated letters: stooop, STOPPPP.
    short = re.sub(r"(.)\1+", r"\1", letters)
    found = [
        meant
        for meant, most in _OFTEN_MISSPELT.items()
        if short == re.sub(r"(.)\1+", r"\1", meant)
        or (len(letters) >= 3 and measure_slips(letters, meant) <= most)
    ]
    found += [
        each
        for each in _OBJECTS_MISSPELT
        if each[0] == word[0] and len(word) >= 5 and measure_slips(letters, each) == 1
    ]
    if short.startswith("stop") and short[4:] in _TEXTS | _POINTERS:
        found.append(f"stop {short[4:]}")
    return tuple(found)
