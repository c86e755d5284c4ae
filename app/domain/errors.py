"""The errors that Letterbox raises on purpose, in one tree.

LetterboxError                 its text is one line that says what to do
├── SettingsError              a setting is missing or wrong; stops the start
├── SetupError                 the machine, a folder or the database is unsuitable; stops the start
├── InvalidInput               the caller's input is wrong; `field` names which
│   ├── InvalidFields          several of them at once; see `found`
│   ├── InvalidCursor          a cursor that is damaged or of another query
│   └── ReusedKey              an Idempotency-Key that was used for another request
├── NotFound                   no such thing, or no longer
├── AccessDenied               the caller may not do this
│   ├── UnknownKey             no key, or none that is valid
│   ├── MissingScope           a valid key without the scope that this needs
│   ├── MissingRole            a member whose role does not cover this
│   └── TooManyTries           too many wrong passwords: see `wait`
├── TooLarge                   more bytes than are accepted
├── Conflict                   the thing exists already or is not in a state for this
│   ├── Changed                it is no longer what If-Match says
│   └── InFlight               the first request with this Idempotency-Key is not done yet
├── CutOff                     it is unknown whether the first request with this key was done
├── Unreadable                 an encrypted secret cannot be read with today's key
├── NoProvider                 no account of the provider is set up
├── Unavailable                cannot be done now, but perhaps later
│   ├── DatabaseAway           the database cannot be used; says to an operator why, and what to do
│   │   └── LoginRefused       it refuses our user name or password
│   └── NothingDurable         neither the database nor the spool can store a message
└── ProviderError              a call to the provider failed (provider_errors.py)
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Literal, NamedTuple


class LetterboxError(Exception):
    """The base of all; its text is shown to people as it is."""


class SettingsError(LetterboxError):
    """A setting is missing or wrong."""


class SetupError(LetterboxError):
    """The machine, the data folder or the database is unsuitable."""


# What is wrong with a field, for programs. Stable: new ones may be added.
FaultCode = Literal[
    "invalid",
    "missing",
    "unknown",
    "repeated",
    "wrong-type",
    "too-long",
    "too-short",
    "out-of-range",
    "not-allowed",
    "not-a-number",
    "not-found",
    "opted-out",
]


class Fault(NamedTuple):
    """One field that is wrong, and what is wrong with it."""

    field: str
    text: str
    code: FaultCode = "invalid"


class InvalidInput(LetterboxError):
    """The caller's input is wrong."""

    def __init__(self, text: str, *, field: str | None = None, code: FaultCode = "invalid") -> None:
        super().__init__(text)
        self.field = field
        self.code: FaultCode = code


class InvalidFields(InvalidInput):
    """Several wrong fields at once."""

    def __init__(self, found: Sequence[Fault]) -> None:
        super().__init__(
            "; ".join(f"{each.field}: {each.text}".removeprefix(": ") for each in found)
        )
        self.found = found


class InvalidCursor(InvalidInput):
    """A cursor that is damaged, or from another query."""


class ReusedKey(InvalidInput):
    """An Idempotency-Key that was used for another request."""


class NotFound(LetterboxError):
    """No such thing, or no longer."""


class AccessDenied(LetterboxError):
    """The caller may not do this."""


class UnknownKey(AccessDenied):
    """No key, or none that is valid."""


class MissingScope(AccessDenied):
    """A valid key without the scope that this needs."""

    def __init__(self, scope: str) -> None:
        super().__init__(f"this needs a key with the scope {scope}")
        self.scope = scope


class MissingRole(AccessDenied):
    """A member whose role does not cover this."""

    def __init__(self) -> None:
        super().__init__("only admins can use this page")


class TooManyTries(AccessDenied):
    """Too many wrong passwords: the next attempt must wait this long."""

    def __init__(self, text: str, wait: timedelta) -> None:
        super().__init__(text)
        self.wait = wait


class TooLarge(LetterboxError):
    """More bytes than are accepted."""


class Conflict(LetterboxError):
    """The thing exists already, or is not in a state for this."""


class Changed(Conflict):
    """The thing is no longer what the caller last saw of it."""


class InFlight(Conflict):
    """The first request with this Idempotency-Key is not done yet."""


class CutOff(LetterboxError):
    """The first request with this Idempotency-Key was never answered: it may have been done."""


class Unreadable(LetterboxError):
    """An encrypted secret cannot be read: the key has changed, or the row."""


class NoProvider(LetterboxError):
    """No provider account is set up."""

    def __init__(self) -> None:
        super().__init__("no PROVIDER_TOKEN: set LETTERBOX_PROVIDER_TOKEN")


class Unavailable(LetterboxError):
    """Cannot be done now, but perhaps later."""


class DatabaseAway(Unavailable):
    """The database cannot be used. Its text is for whoever runs the service, and for nobody else:
    it names hosts, users and settings.
    """

    public = "the database cannot be used now"


class LoginRefused(DatabaseAway):
    """The database refuses our user name or password."""


class NothingDurable(Unavailable):
    """Neither the database nor the spool can store a message: the provider must get a 503."""


def describe_cause(error: Exception) -> str:
    """One line for a log; of an error that is none of ours with its type."""
    line = next(iter(str(error).splitlines()), "")
    if isinstance(error, LetterboxError):
        return line
    return f"{type(error).__name__}: {line}".removesuffix(": ")
