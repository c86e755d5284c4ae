"""What a text means for our texts to its sender: an opt-out, an opt-in, or a possible opt-out."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from app.domain.keywords import fold_word, split_keyword, split_words
from app.domain.rules.refusals.recognising import Reading, read_refusal
from app.domain.rules.refusals.words import OPT_IN_WORDS, OPT_OUT_WORDS, POLITE, PROTECTED

# A YES that comes later answers something else.
ANSWERED_WITHIN = timedelta(days=1)
# What is stored before a clock was set back is corrected only if it was set by more
# (flows/operations/processes/keep_time.py).
CLOCK_STEP = timedelta(seconds=5)


class Intent(Enum):
    """What a sender wants; UNSURE looks like a refusal, and a person has to decide."""

    OUT = "out"
    BACK = "back"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class OptOutState:
    """What a number said last about our texts: whether it is out, when, in which message.

    `said_at` and `message_id` order words that are handled in another order than they came in
    (see `find_newer`); a person's or the provider's word has no message (0).
    """

    is_out: bool
    reason: str
    said_at: datetime
    message_id: int

    def is_older_than(self, other: "OptOutState") -> bool:
        return (self.said_at, self.message_id) < (other.said_at, other.message_id)


def find_newer(
    new: OptOutState, last: OptOutState | None, *, is_direct: bool
) -> OptOutState | None:
    """`new` if it was said after `last`, dated so that it also seems so; else None.

    Between two texts the clock may be set back. The ids of messages tell in which order these were
    stored: that is the order of arrival where the later one was stored at once (`is_direct`), not
    out of a spool or a report. Otherwise the times decide. A difference that is small leaves a
    doubt, for of two texts that come at once the later one may be stored first; in doubt the
    refusal holds.
    """
    if last is None or not new.is_older_than(last):
        return new
    if new.message_id <= last.message_id:
        return None
    if last.said_at - new.said_at <= CLOCK_STEP:
        is_newer = new.is_out
    else:
        is_newer = is_direct and last.message_id > 0
    return replace(new, said_at=last.said_at) if is_newer else None


def find_intent(
    reading: Reading,
    body: str,
    *,
    said_at: datetime,
    owned: Collection[str],
    last: OptOutState | None,
) -> Intent | None:
    """The meaning of a text that reads like this; None if it has none.

    `owned` are the folded keywords of the number's enabled rules. Such a word belongs to its rule,
    except the protected ones and where more is said ("take me off your list"); and someone who has
    opted out can always opt in again. `last` is the sender's previous opt-out or opt-in.
    """
    word = reading.word
    is_out = last is not None and last.is_out
    if not reading.is_sure:
        return None if is_out or _is_owned(body, owned) else Intent.UNSURE
    if word in OPT_OUT_WORDS:
        if word not in owned or word in PROTECTED:
            return Intent.OUT
        return None if is_out or {*split_words(body)} - POLITE <= {word} else Intent.UNSURE
    if word in OPT_IN_WORDS:
        return None if word in owned and not is_out else Intent.BACK
    answers = (
        last is not None
        and last.is_out
        and last.reason == "keyword"
        and -CLOCK_STEP <= said_at - last.said_at <= ANSWERED_WITHIN
    )
    return Intent.BACK if answers and word not in owned else None


def _is_owned(body: str, owned: Collection[str]) -> bool:
    """Whether only a rule's keyword makes it look like a refusal: not "Hours? Stop texting me"."""
    first, rest = split_keyword(body)
    if fold_word(first) not in owned:
        return False
    return read_refusal(rest) is None and fold_word(first) not in PROTECTED
