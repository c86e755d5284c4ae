"""What came of a call to the provider: whether it took the text, and what an error asks for."""

from dataclasses import dataclass
from enum import StrEnum


class SendOutcome(StrEnum):
    """Whether the provider took a call. A call that returns a result was certainly taken."""

    NOT_TAKEN = "certainly not taken"
    REFUSED = "certainly refused"
    TAKEN = "certainly taken"
    UNKNOWN = "unknown"


class ErrorClass(StrEnum):
    """What an error asks of the sender."""

    ACCOUNT = "account"
    """The account cannot send: stop all sending; the text keeps its place."""
    CONFIGURATION = "configuration"
    """Something other than the API rejected the call: treated like an account error."""
    TOO_MANY_CALLS = "too many calls"
    """Send nothing for as long as the answer asks; the text keeps its place."""
    PASSING = "passing"
    """Retry with backoff."""
    DAILY_LIMIT = "daily limit"
    """Hold until the provider's next day."""
    REFUSED_NUMBER = "refused number"
    """Fail, and add the number to the opt-outs."""
    PERMANENT = "permanent"
    """Fail at once."""
    AMBIGUOUS = "ambiguous"
    """Never resend blindly."""
    PARTLY_TAKEN = "partly taken"
    """Never resend; follow by report."""
    SOME_NUMBER = "some number of the call"
    """Send to each number alone, because the code does not say which number it means."""


# Used where no more is known of a call than the class of its error.
OUTCOME_BY_CLASS = dict.fromkeys(ErrorClass, SendOutcome.REFUSED) | {
    ErrorClass.AMBIGUOUS: SendOutcome.UNKNOWN,
    ErrorClass.PARTLY_TAKEN: SendOutcome.UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class CallResult:
    """What a call came to for one text.

    `code` and `answer` are the provider's or the error's words. `provider_ids` are those of the
    text's parts, `background_ids` those of a list's or group's sends. `rest_seconds` is how long
    the provider wants no calls. `is_miscounted`: a call to many numbers had more or fewer answers.
    """

    outcome: SendOutcome
    error_class: ErrorClass | None = None
    code: str | None = None
    answer: str | None = None
    provider_ids: tuple[str, ...] = ()
    background_ids: tuple[str, ...] = ()
    rest_seconds: float | None = None
    is_miscounted: bool = False

    @property
    def is_proper(self) -> bool:
        """Whether the provider certainly took or refused the text."""
        return self.outcome in {SendOutcome.TAKEN, SendOutcome.REFUSED}

    @property
    def was_called(self) -> bool:
        """Whether the provider was asked anything, so that the result says something about it."""
        return self.outcome is not SendOutcome.NOT_TAKEN or self.error_class is not None


# Codes about one number: invalid, without a route, over its daily limit, blacklisted.
NUMBER_CODES = frozenset({"-200", "-401", "-406", "-411", "-412"})


class StopCause(StrEnum):
    """Why all sending has stopped until something shows that it works again."""

    ACCOUNT = "account"
    """An error about the account: retried with a text, or with the credits if none waits."""
    CONFIGURATION = "configuration"
    """The answer is not from the provider's API: the credits are checked first."""
    UNREACHABLE = "unreachable"
    """The provider cannot be reached: the credits are checked first."""
    UNCLEAR = "unclear"
    """A call got no proper answer: the credits are checked before another text is risked."""
    TOO_MANY_CALLS = "too many calls"
    """The provider asked for a pause: one text is tried after it."""
    TRIAL = "trial"
    """The credits were answered properly: one text is tried before the others follow."""


LOOK_FIRST = frozenset({StopCause.CONFIGURATION, StopCause.UNREACHABLE, StopCause.UNCLEAR})
