"""What a failed call to the provider means: whether it was taken, and what the sender does next."""

from enum import StrEnum


class Fate(StrEnum):
    """Whether the provider took a call. A call that returns a result was certainly taken."""

    NOT_TAKEN = "certainly not taken"
    REFUSED = "certainly refused"
    TAKEN = "certainly taken"
    UNKNOWN = "unknown"


class ErrorClass(StrEnum):
    """What an error asks of whoever sends a queued message."""

    ACCOUNT = "account"
    """The account cannot send: pause sending altogether, the message keeps its place."""
    PASSING = "passing"
    """Retry with backoff."""
    DAILY_LIMIT = "daily limit"
    """Hold until the next London day."""
    REFUSED_NUMBER = "refused number"
    """Fail, and add the number to the opt-outs."""
    PERMANENT = "permanent"
    """Fail at once."""
    AMBIGUOUS = "ambiguous"
    """Never resend blindly."""
    PARTLY_TAKEN = "partly taken"
    """Never resend; follow by report."""
    SOME_NUMBER = "some number of the call"
    """Send to each number alone: the code does not say of which it speaks."""


# Where nothing else is known of a call than the class of its error.
FATE_BY_CLASS = {
    ErrorClass.ACCOUNT: Fate.REFUSED,
    ErrorClass.PASSING: Fate.REFUSED,
    ErrorClass.DAILY_LIMIT: Fate.REFUSED,
    ErrorClass.REFUSED_NUMBER: Fate.REFUSED,
    ErrorClass.PERMANENT: Fate.REFUSED,
    ErrorClass.AMBIGUOUS: Fate.UNKNOWN,
    ErrorClass.PARTLY_TAKEN: Fate.UNKNOWN,
    ErrorClass.SOME_NUMBER: Fate.REFUSED,
}

# Codes that speak of one number: invalid, without a route, over its daily limit, blacklisted.
NUMBER_CODES = frozenset({"-200", "-401", "-406", "-411", "-412"})
