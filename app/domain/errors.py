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
│   ├── LoginRefused           the database refuses our user name or password
│   └── NothingDurable         neither the database nor the spool can store a message
└── ProviderError              a call to the provider failed; see its `error_class` and `outcome`
    ├── CodeError              it answered one of its error codes: see `code`
    │   ├── AccountError       no credits, a wrong token, suspended, no licence
    │   ├── MaintenanceError   it is down for maintenance
    │   ├── DailyLimitError    too many messages to this number today
    │   ├── RefusedNumberError the number is on the provider's blacklist
    │   ├── PermanentError     anything that will not change by waiting
    │   ├── AmbiguousError     it failed internally; the call may have been accepted
    │   └── PartlyTakenError   some numbers were taken, some not
    ├── Unreachable            name, connection or TLS failed: nothing left here
    │   └── TooManyReports     others are being read: one has to end first
    ├── CallBroken             a timeout or a broken connection after the request left
    └── UnreadableAnswer       the answer is not one of its API
        ├── StatusAnswer       another HTTP status than 200
        │   ├── TurnedAway     a web server or proxy refused the call before the API saw it
        │   └── TooManyCalls   429: call less often
        ├── HtmlAnswer         a web page, as proxies send it
        ├── EmptyAnswer        nothing at all
        ├── CountMismatch      the number of answers is wrong
        └── MissingColumns     a report without the columns that are needed
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import ClassVar, Literal, NamedTuple

from app.domain.outbound.send_outcomes import OUTCOME_BY_CLASS, ErrorClass, SendOutcome


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


class LoginRefused(Unavailable):
    """The database refuses our user name or password."""


class NothingDurable(Unavailable):
    """Neither the database nor the spool can store a message: the provider must get a 503."""


class ProviderError(LetterboxError):
    """A call to the provider failed; `error_class` says what kind, `outcome` if it was taken."""

    error_class: ClassVar[ErrorClass] = ErrorClass.AMBIGUOUS
    # Attributes that quote the provider.
    quotes: ClassVar[tuple[str, ...]] = ()

    def __init__(self, text: str, *, outcome: SendOutcome | None = None) -> None:
        super().__init__(text)
        self.outcome = outcome or OUTCOME_BY_CLASS[self.error_class]

    def hide(self, hide: Callable[[str], str]) -> None:
        """Remove secrets from what the error quotes, because a provider may echo its request."""
        self.args = tuple(hide(str(arg)) for arg in self.args)
        for name in self.quotes:
            value = getattr(self, name)
            hidden = hide(value) if isinstance(value, str) else tuple(map(hide, value))
            setattr(self, name, hidden)


class CodeError(ProviderError):
    """The provider answered one of its error codes.

    `provider_text` is what it said itself, else its page's words; `details` are further lines.
    """

    quotes = ("provider_text", "details")

    def __init__(
        self,
        text: str,
        *,
        code: int,
        provider_text: str,
        details: tuple[str, ...] = (),
        outcome: SendOutcome | None = None,
    ) -> None:
        super().__init__(text, outcome=outcome)
        self.code = code
        self.provider_text = provider_text
        self.details = details


class AccountError(CodeError):
    """The account cannot send: no credits, a wrong token, suspended, no licence."""

    error_class = ErrorClass.ACCOUNT


class MaintenanceError(CodeError):
    """The provider is down for maintenance."""

    error_class = ErrorClass.PASSING


class DailyLimitError(CodeError):
    """Too many messages to this number today."""

    error_class = ErrorClass.DAILY_LIMIT


class RefusedNumberError(CodeError):
    """The number is on the provider's blacklist."""

    error_class = ErrorClass.REFUSED_NUMBER


class PermanentError(CodeError):
    """Anything that does not change by waiting."""

    error_class = ErrorClass.PERMANENT


class AmbiguousError(CodeError):
    """The provider failed internally; the call may have been accepted."""

    error_class = ErrorClass.AMBIGUOUS


class PartlyTakenError(CodeError):
    """Some numbers were accepted, others not."""

    error_class = ErrorClass.PARTLY_TAKEN


class Unreachable(ProviderError):
    """The name, the connection or TLS failed: nothing was sent."""

    error_class = ErrorClass.PASSING

    def __init__(self, text: str) -> None:
        super().__init__(text, outcome=SendOutcome.NOT_TAKEN)


class TooManyReports(Unreachable):
    """The limit of reports read at once is reached: nothing was requested."""


class CallBroken(ProviderError):
    """A timeout or a broken connection after the request was sent."""


class UnreadableAnswer(ProviderError):
    """The answer is not one of the provider's API."""


class StatusAnswer(UnreadableAnswer):
    """An HTTP status other than 200."""

    def __init__(self, text: str, *, status: int) -> None:
        super().__init__(text)
        self.status = status


class TurnedAway(StatusAnswer):
    """A web server or a proxy refused the call, so that the API never saw it."""

    error_class = ErrorClass.CONFIGURATION


class TooManyCalls(StatusAnswer):
    """HTTP status 429; `retry_after_seconds` is None if the answer does not say."""

    error_class = ErrorClass.TOO_MANY_CALLS

    def __init__(self, text: str, *, status: int, retry_after_seconds: float | None) -> None:
        super().__init__(text, status=status)
        self.retry_after_seconds = retry_after_seconds


class HtmlAnswer(UnreadableAnswer):
    """A web page, as proxies send it."""


class EmptyAnswer(UnreadableAnswer):
    """An empty answer."""


class CountMismatch(UnreadableAnswer):
    """Another count of answers than was asked for; `answers` are the ids and codes that came."""

    quotes = ("answers",)

    def __init__(
        self, text: str, *, answers: tuple[str, ...], outcome: SendOutcome | None = None
    ) -> None:
        super().__init__(text, outcome=outcome)
        self.answers = answers


class MissingColumns(UnreadableAnswer):
    """A report without the columns that are needed; `headings` are those that it has."""

    quotes = ("headings",)

    def __init__(self, text: str, *, headings: tuple[str, ...]) -> None:
        super().__init__(text)
        self.headings = headings
