"""The words by which people refuse our texts and ask for them again, read from what they write.

Words: those in use among UK and US providers. A refusal is short: its word,
politeness around it, and for the plainest words what is refused ("stop texts"). Any other word
makes it a sentence that merely contains one.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.domain.keywords import split_words


def _list_words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# These are always a refusal, whatever rules have as keywords.
PROTECTED = frozenset({"stop", "stopall", "unsubscribe", "optout"})
OPT_OUT_WORDS = PROTECTED | {"cancel", "end", "quit", "revoke", "remove"}
OPT_IN_WORDS = frozenset({"start", "unstop"})
ANSWER_WORD = "yes"
# A YES that comes later answers something else.
ANSWERED_WITHIN = timedelta(days=1)

_JOINED = {("stop", "all"): "stopall", ("opt", "out"): "optout", ("un", "stop"): "unstop"}
_POLITE = _list_words(
    "please pls plz plse pleas thanks thank thankyou thx ty ta tnx cheers you u very much many"
    " kindly sorry hi hello hey dear ok okay just now immediately asap regards kind sir madam"
)
# What a refusal may name: "STOP NEWS", "stop sending me texts", "remove me from your list".
_REFUSED = _list_words(
    "text texts texting txt txts message messages messaging msg msgs sms smses mail mails email"
    " emails news newsletter newsletters alert alerts offer offers update updates promo promos"
    " promotion promotions marketing ad ads advert adverts advertising spam spamming notification"
    " notifications reminder reminders info send sending sent contacting me us my our number"
    " phone mobile from your the this these those any all more further list lists database to"
    " subscription service forever again"
)
_WITH_OBJECT = frozenset({"stop", "stopall", "unsubscribe", "optout", "remove"})
_INITIALS = re.compile(r"(?<!\w)(?:\w\.){2,}\w?(?!\w)")


@dataclass(frozen=True, slots=True)
class LastWord:
    """What a number said last about our texts: whether it is out, when, in which message.

    `said_at` and `message_id` order words that are handled in another order than they came in;
    a person's or the provider's word has no message (0).
    """

    is_out: bool
    reason: str
    said_at: datetime
    message_id: int

    def is_older_than(self, other: "LastWord") -> bool:
        return (self.said_at, self.message_id) < (other.said_at, other.message_id)


def read_opt_word(body: str) -> str | None:
    """The one word that a text says, as in the sets above or YES; None for any other text."""
    if len(body) > 200:
        return None
    words = _join_words(split_words(_INITIALS.sub(_join_initials, body)))
    while words and words[0] in _POLITE:
        words = words[1:]
    while words and words[-1] in _POLITE:
        words = words[:-1]
    if not words:
        return None
    word, others = words[0], {each for each in words[1:] if each not in _POLITE}
    others.discard(word)
    if word in _WITH_OBJECT:
        others -= _REFUSED
    known = word in OPT_OUT_WORDS or word in OPT_IN_WORDS or word == ANSWER_WORD
    return word if known and not others else None


def find_wish(
    body: str, *, said_at: datetime, owned: Collection[str], last: LastWord | None
) -> bool | None:
    """Whether a text opts out (True) or back in (False); None where it says neither.

    `owned` are the folded keywords of the number's enabled rules: such a word belongs to its rule,
    but the protected ones do not, and whoever is out can always come back. `last` is what the
    sender said before.
    """
    word = read_opt_word(body)
    if word is None:
        return None
    is_out = last is not None and last.is_out
    if word in OPT_OUT_WORDS:
        return None if word in owned and word not in PROTECTED else True
    if word in OPT_IN_WORDS:
        return None if word in owned and not is_out else False
    answers = (
        last is not None
        and last.is_out
        and last.reason == "keyword"
        and timedelta(0) <= said_at - last.said_at <= ANSWERED_WITHIN
    )
    return False if answers and word not in owned else None


def _join_words(words: list[str]) -> list[str]:
    """The words with those written apart joined: STOP ALL, OPT OUT."""
    joined: list[str] = []
    for word in words:
        pair = (joined[-1], word) if joined else None
        if pair in _JOINED:
            joined[-1] = _JOINED[pair]
        else:
            joined.append(word)
    return joined


def _join_initials(found: re.Match[str]) -> str:
    return found.group().replace(".", "")
